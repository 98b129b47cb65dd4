from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leaderboards", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name=name,
            name="is_ours",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Described by the physics; no source reports it.",
            ),
        )
        for name in ("method", "historicalmethod")
    ]
