"""The page that shows the API's description, and what that page may load."""

import hashlib
import re
from base64 import b64encode
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse

DOCS_PATH: Final = "/docs"
OPENAPI_PATH: Final = "/openapi.json"
# Swagger's files are not part of any package that we install; the page may load them, nothing else.
SWAGGER: Final = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/"
_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    """Serve the page; its one inline script is known by its digest."""
    page = get_swagger_ui_html(
        openapi_url=OPENAPI_PATH,
        title=app.title,
        swagger_js_url=f"{SWAGGER}swagger-ui-bundle.js",
        swagger_css_url=f"{SWAGGER}swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    html = bytes(page.body).decode()
    policy = _content_policy(html)

    async def show_docs(_request: Request) -> HTMLResponse:
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    app.add_route(DOCS_PATH, show_docs, include_in_schema=False)


def _content_policy(html: str) -> str:
    digests = [
        b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in _INLINE_SCRIPT.findall(html)
    ]
    own_scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {SWAGGER} {own_scripts}",
            f"style-src {SWAGGER} 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
