"""Sign-up, one-time links, tokens, users and the audit of the stand-in for the API."""

from typing import Any

from fastapi import FastAPI, Request, Response

from backend.accounts.schemas import (
    ApiTokenCreate,
    ApiTokenCreated,
    ApiTokenOut,
    HoldingsOut,
    LinkInfo,
    LinkOut,
    LinkToken,
    PasswordByLink,
    Registration,
    ServiceAccountCreate,
    SignInOptions,
    TokenOut,
    UserAdminUpdate,
    UserCreate,
    UserCreated,
    UserOut,
    UserUpdate,
)
from backend.audit.schemas import AuditEventOut
from backend.core.access import Role
from backend.core.schemas import Page
from tests.frontend.world import NOW, Refusal, World

BASE = "/api/v1"
WEAK = "This password is easy to guess: it is a common word. A sentence is a good one."


def _require_strong(password: str, field: str) -> None:
    if len(set(password)) < 5:
        raise Refusal(422, WEAK, **{field: WEAK})


def _require_admin(me: UserOut) -> None:
    if me.role is not Role.ADMIN:
        raise Refusal(403, "This is for administrators.", code="forbidden")


def _find(world: World, number: int) -> UserOut:
    return next(user for user in world.users.values() if user.id == number)


def add_ways_in(app: FastAPI, world: World, _user: Any) -> None:
    known = world.accounts

    @app.get(BASE + "/auth/options")
    def options() -> SignInOptions:
        return known.options

    @app.post(BASE + "/auth/register", status_code=201)
    def register(data: Registration) -> UserOut:
        if data.username in world.users:
            raise Refusal(409, "This user name is taken.", code="name_taken")
        _require_strong(data.password, "password")
        world.add_user(data.username, Role.MEMBER)
        world.passwords[data.username] = data.password
        return world.users[data.username]

    @app.post(BASE + "/auth/links/check")
    def check(data: LinkToken) -> LinkInfo:
        if data.token not in known.links:
            raise Refusal(401, "This link is spent.", code="unauthenticated")
        return known.links[data.token]

    @app.post(BASE + "/auth/password")
    def set_password(data: PasswordByLink) -> TokenOut:
        info = check(LinkToken(token=data.token))
        _require_strong(data.new_password, "new_password")
        del known.links[data.token]
        world.passwords[info.username] = data.new_password
        return TokenOut(
            access_token=world.new_token("at_", info.username),
            expires_in=600,
            refresh_token=world.new_token("gr_", info.username),
        )


def add_own_tokens(app: FastAPI, world: World, user: Any) -> None:
    known = world.accounts

    @app.patch(BASE + "/users/me")
    def update(data: UserUpdate, me: UserOut = user) -> UserOut:
        if data.email == "taken@example.org":
            raise Refusal(409, "Another account has this mail address.", code="email_taken")
        world.users[me.username] = me.model_copy(update=data.model_dump())
        return world.users[me.username]

    @app.delete(BASE + "/users/me/sessions", status_code=204)
    def everywhere(me: UserOut = user) -> None:
        world.sign_out_everywhere(me.username)

    @app.get(BASE + "/tokens")
    def tokens(me: UserOut = user) -> Page[ApiTokenOut]:
        return _tokens_of(world, me)

    @app.post(BASE + "/tokens", status_code=201)
    def create(data: ApiTokenCreate, me: UserOut = user) -> ApiTokenCreated:
        return _new_token(world, me, me, data)

    @app.delete(BASE + "/tokens/{number}", status_code=204)
    def revoke(number: int, me: UserOut = user) -> None:
        assert known.tokens.pop(number).username == me.username


def _tokens_of(world: World, owner: UserOut) -> Page[ApiTokenOut]:
    tokens = world.accounts.tokens.values()
    items = [token for token in tokens if token.username == owner.username]
    return Page[ApiTokenOut](items=items, next_cursor=None)


def _new_token(
    world: World, maker: UserOut, owner: UserOut, data: ApiTokenCreate
) -> ApiTokenCreated:
    world.accounts.sent.append(data.model_dump())
    number = next(world.counter)
    made = ApiTokenOut(
        **data.model_dump(),
        id=number,
        hint="gf_abc…",
        username=owner.username,
        created_by=maker.username,
        created_at=NOW,
        last_used_at=None,
        last_address=None,
    )
    world.accounts.tokens[number] = made
    return ApiTokenCreated(**made.model_dump(), token=f"gf_secret_{number}")


def add_service_accounts(app: FastAPI, world: World, user: Any) -> None:
    path = BASE + "/service-accounts"

    @app.post(path, status_code=201)
    def create(data: ServiceAccountCreate, me: UserOut = user) -> UserOut:
        _require_admin(me)
        world.add_user(data.username, data.role, has_password=False)
        made = world.users[data.username].model_copy(update={"kind": "service"})
        world.users[data.username] = made
        return made

    @app.get(path + "/{number}/tokens")
    def tokens(number: int, me: UserOut = user) -> Page[ApiTokenOut]:
        _require_admin(me)
        return _tokens_of(world, _find(world, number))

    @app.post(path + "/{number}/tokens", status_code=201)
    def create_token(number: int, data: ApiTokenCreate, me: UserOut = user) -> ApiTokenCreated:
        _require_admin(me)
        return _new_token(world, me, _find(world, number), data)

    @app.delete(path + "/{number}/tokens/{token}", status_code=204)
    def revoke(number: int, token: int, me: UserOut = user) -> None:
        _require_admin(me)
        assert world.accounts.tokens.pop(token).username == _find(world, number).username


def add_users(app: FastAPI, world: World, user: Any) -> None:
    @app.get(BASE + "/users")
    def users(
        name_contains: str = "",
        role: str | None = None,
        kind: str | None = None,
        state: str | None = None,
        me: UserOut = user,
    ) -> Page[UserOut]:
        _require_admin(me)
        items = [
            one
            for one in world.users.values()
            if name_contains.lower() in one.username
            and role in (None, one.role.value)
            and kind in (None, one.kind)
            and state in (None, _state(one))
        ]
        return Page[UserOut](items=items, next_cursor=None)

    @app.post(BASE + "/users", status_code=201)
    def create(data: UserCreate, me: UserOut = user) -> UserCreated:
        _require_admin(me)
        if data.password is not None:
            _require_strong(data.password, "password")
        if data.username in world.users:
            raise Refusal(409, "This user name is taken.", code="name_taken")
        world.add_user(data.username, data.role, has_password=data.password is not None)
        made = world.users[data.username].model_copy(update={"email": data.email})
        world.users[data.username] = made
        is_invited = data.password is None and world.accounts.options.password
        invitation = _invite(world, made) if is_invited else None
        return UserCreated(**world.users[data.username].model_dump(), invitation=invitation)


def _state(user: UserOut) -> str:
    return "disabled" if user.disabled else "invited" if user.invited_until else "active"


def _invite(world: World, user: UserOut) -> LinkOut:
    token = f"gl_{next(world.counter)}"
    ends = world.accounts.add_link(token, "invitation", user.username)
    world.users[user.username] = user.model_copy(update={"invited_until": ends})
    return LinkOut(url=f"http://dashboard.test/?invitation={token}", expires_at=ends)


def add_user_changes(app: FastAPI, world: World, user: Any) -> None:
    path = BASE + "/users/{number}"

    @app.patch(path)
    async def update(number: int, request: Request, me: UserOut = user) -> UserOut:
        _require_admin(me)
        sent = await request.json()
        world.accounts.sent.append(sent)
        UserAdminUpdate.model_validate(sent)
        one = _find(world, number)
        changes = {**sent, "role": Role(sent["role"])} if "role" in sent else sent
        world.users[one.username] = one.model_copy(update=changes)
        return world.users[one.username]

    @app.delete(path, status_code=204)
    def delete(number: int, request: Request, me: UserOut = user) -> None:
        _require_admin(me)
        world.accounts.sent.append(dict(request.query_params))
        del world.users[_find(world, number).username]

    @app.get(path + "/holdings")
    def holdings(number: int, me: UserOut = user) -> HoldingsOut:
        _require_admin(me)
        found = world.accounts.holdings.get(_find(world, number).username, [])
        return HoldingsOut(items=found)

    @app.post(path + "/invitation")
    def invite(number: int, me: UserOut = user) -> LinkOut:
        _require_admin(me)
        return _invite(world, _find(world, number))

    @app.delete(path + "/invitation", status_code=204)
    def withdraw(number: int, me: UserOut = user) -> None:
        _require_admin(me)
        one = _find(world, number)
        world.users[one.username] = one.model_copy(update={"invited_until": None})

    @app.post(path + "/password-reset")
    def reset(number: int, me: UserOut = user) -> LinkOut:
        _require_admin(me)
        one = _find(world, number)
        token = f"gl_{next(world.counter)}"
        ends = world.accounts.add_link(token, "password_reset", one.username)
        world.sign_out_everywhere(one.username)
        return LinkOut(url=f"http://dashboard.test/?reset={token}", expires_at=ends)


def add_audit(app: FastAPI, world: World, user: Any) -> None:
    @app.get(BASE + "/operations/audit")
    def audit(request: Request, me: UserOut = user) -> Page[AuditEventOut]:
        _require_admin(me)
        return _events(world, request, world.accounts.events)

    @app.get(BASE + "/operations/audit.csv")
    def export(request: Request, me: UserOut = user) -> Response:
        _require_admin(me)
        world.accounts.sent.append(dict(request.query_params))
        outcome = request.query_params.get("outcome")
        found = [event for event in world.accounts.events if outcome in (None, event.outcome)]
        lines = ["id", *(str(event.id) for event in found)]
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        return Response("".join(f"{line}\r\n" for line in lines), headers=headers)

    @app.get(BASE + "/users/me/history")
    def history(request: Request, me: UserOut = user) -> Page[AuditEventOut]:
        own = [event for event in world.accounts.events if event.actor_name == me.username]
        return _events(world, request, own)


def _events(world: World, request: Request, known: list[AuditEventOut]) -> Page[AuditEventOut]:
    asked = dict(request.query_params)
    world.accounts.sent.append(asked)
    limit, start = int(asked["limit"]), int(asked.get("cursor", "0"))
    found = [
        event
        for event in known
        if asked.get("action") in (None, event.action)
        and asked.get("outcome") in (None, event.outcome)
    ]
    end = start + limit
    rest = str(end) if end < len(found) else None
    return Page[AuditEventOut](items=found[start:end], next_cursor=rest)
