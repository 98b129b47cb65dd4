"""The public keys that the site's bundles of evidence are checked with."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from leaderboards import signing


class BundleKeySerializer(serializers.Serializer[Any]):
    key_id = serializers.CharField(
        help_text="First 16 hexadecimal digits of the SHA-256 of the key."
    )
    public_key = serializers.CharField(help_text="32 bytes, as 64 hexadecimal digits.")


class BundleKeysSerializer(serializers.Serializer[Any]):
    algorithm = serializers.CharField(help_text="Always Ed25519 (RFC 8032).")
    keys = BundleKeySerializer(many=True)


@extend_schema(tags=["bundles"])
class BundleKeysView(APIView):
    """The public keys of this site, earlier ones included: `verify_bundle --key` takes the list."""

    @extend_schema(operation_id="bundle_keys", responses=BundleKeysSerializer)
    def get(self, request: Request) -> Response:
        return Response(BundleKeysSerializer(signing.as_json()).data)
