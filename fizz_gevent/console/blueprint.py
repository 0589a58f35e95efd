"""``/console``: the page, its form to log in, and its static files."""

from collections.abc import Callable, Mapping

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from fizz_gevent.console import questions
from fizz_gevent.console.direct import host_of
from fizz_gevent.console.guard import COOKIE, SESSION_SECONDS, Guard, NotLoggedIn
from fizz_gevent.console.keys import Keys
from fizz_gevent.errors import ApiError
from fizz_gevent.ports import Clock
from fizz_gevent.service.directory import Directory
from fizz_gevent.service.operators import Operators


def create_blueprint(
    guard: Guard,
    keys: Keys,
    operators: Operators,
    directory: Directory,
    clock: Clock,
    *,
    prefix: str,
    version: str,
    is_secure: Callable[[Mapping[str, object]], bool],
) -> Blueprint:
    """All routes of the console, to be registered below the prefix.

    Args:
        prefix: ``ServerConfig.path``.
        is_secure: Whether a request came over TLS, also by the word of a trusted proxy.
    """
    blueprint = Blueprint(
        "console",
        __name__,
        static_folder="static",
        static_url_path="/console/static",
        template_folder="templates",
    )
    base = f"{prefix}/console"

    @blueprint.get("/console")
    @blueprint.get("/console/")
    def page() -> tuple[str, int]:
        """The page, the form to log in, or why not."""
        try:
            guard.admit(request.environ, request.cookies.get(COOKIE))
        except NotLoggedIn:
            why = request.args.get("refused", "")
            return render_template("login.html", base=base, why=why), 200
        except ApiError as error:
            return render_template("refused.html", base=base, why=error.message), error.status
        return render_template("console.html", base=base, has_login=guard.has_password), 200

    @blueprint.post("/console/login")
    def log_in() -> Response:
        """Back to the page, with a session or with why not."""
        guard.check_origin(request.environ)
        if not guard.has_password:
            return redirect(base, 303)
        form = request.form
        try:
            guard.check_password(
                request.environ, form.get("username", ""), form.get("password", "")
            )
        except NotLoggedIn:
            return redirect(f"{base}?refused=wrong", 303)
        except ApiError:
            return redirect(f"{base}?refused=often", 303)
        answer = redirect(base, 303)
        answer.set_cookie(
            COOKIE,
            guard.new_session(),
            max_age=SESSION_SECONDS,
            path=base,
            secure=is_secure(request.environ),
            httponly=True,
            samesite="Strict",
        )
        return answer

    @blueprint.post("/console/logout")
    def log_out() -> Response:
        """Forget the session in this browser."""
        guard.check_origin(request.environ)
        answer = redirect(base, 303)
        answer.delete_cookie(COOKIE, path=base, httponly=True, samesite="Strict")
        return answer

    @blueprint.after_request
    def protect(answer: Response) -> Response:
        """Nothing but our own files runs in the page, and nobody frames it."""
        host = host_of(request.environ)
        # Not every browser counts its own host's WebSockets among 'self'.
        sockets = f" ws://{host} wss://{host}" if host else ""
        answer.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self'{sockets}; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["X-Frame-Options"] = "DENY"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if request.endpoint != "console.static":
            answer.headers["Cache-Control"] = "no-store"
        return answer

    questions.add_routes(
        blueprint, guard, keys, operators, directory, clock, prefix=prefix, version=version
    )
    return blueprint
