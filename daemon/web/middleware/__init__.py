"""ASGI middlewares: access control, body limits, security headers, HEAD, request metrics."""
