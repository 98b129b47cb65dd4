from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("modalities", "0002_dataset"),
    ]

    operations = [
        migrations.AddField(
            model_name="modality",
            name="tiers",
            field=models.JSONField(default=list),
        ),
        migrations.DeleteModel(
            name="MismatchParameter",
        ),
        migrations.DeleteModel(
            name="Scene",
        ),
        migrations.DeleteModel(
            name="Tier",
        ),
    ]
