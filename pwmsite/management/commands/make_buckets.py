"""Make the buckets that the storages of the settings name, where they are missing."""

from typing import Any

from django.core.files.storage import storages
from django.core.management import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Make the storages' buckets if they are missing; nothing to do for folders."

    def handle(self, **options: Any) -> None:
        for alias in ("default", "private", "runs"):
            storage = storages[alias]
            if hasattr(storage, "bucket_name"):
                self.make(storage)

    def make(self, storage: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client, name = storage.connection.meta.client, storage.bucket_name
        try:
            if name in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                return
            region = client.meta.region_name
            where = {} if region in {None, "us-east-1"} else {"LocationConstraint": region}
            client.create_bucket(
                Bucket=name, **({"CreateBucketConfiguration": where} if where else {})
            )
        except (BotoCoreError, ClientError) as error:
            raise CommandError(f"The bucket {name} cannot be made: {error}") from error
        self.stdout.write(f"Made the bucket {name}.")
