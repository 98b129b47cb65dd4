"""Middleware that sets Permissions-Policy: no page, nor what it might embed, asks for a device."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

DEVICES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
)
POLICY = ", ".join(f"{device}=()" for device in DEVICES)


def deny_devices(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers["Permissions-Policy"] = POLICY
        return response

    return answer
