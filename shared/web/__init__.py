"""The one face of the four services: pages, components, styles, words.

A service makes one `Pages` when it is assembled and gives its two routers to the app::

    reasons = {reason.code: reason.text for reason in campaign.reasons}
    templates = Path(__file__).parent / "web"
    pages = Pages("moderation", templates, "/desk/moderation", campaign=campaign.name, reasons=reasons)
    desk = pages.router()                      # an APIRouter whose problems become readable pages

    @desk.get("/desk/moderation")
    async def queue(
        request: Request, who: Annotated[Principal, Depends(guard.require("moderator"))]
    ) -> Response:
        return pages.render(request, "queue.html", items=await cases.waiting())

    Parts(routers=[desk, pages.static_router()], ...)

**Templates** lie in `services/<service>/web/*.html` and extend the shell::

    {% extends "base.html" %}
    {% import "components.html" as ui with context %}
    {% block title %}{{ _("Queue") }}{% endblock %}
    {% block content %} … {{ ui.status(item.state) }} {{ ui.when(item.received_at) }} … {% endblock %}
    {% block actions %}<button class="button button--main" data-key="a">{{ _("Approve") }}</button>
    {% endblock %}
    {% block scripts %}<script type="module" src="{{ asset('desk.js') }}"></script>{% endblock %}

Blocks: `title`, `content`, `actions` (main action: a bar at the bottom of a phone), `scripts`, `page_class`
(`page--wide` for two panes). A name that the context lacks is an error (`StrictUndefined`); text is always
escaped.

**In every template**: `_("English text")`, `ngettext("%(num)s item", "%(num)s items", n)`, `lang`, `dir`,
`campaign`, `principal` (or None), `asset(path)`, `path` (of the request), `csrf` (the token), `csrf_field`
(the hidden input that every `<form method="post">` needs), and the functions `number(n)`, `exact(time)`,
`ago(time)`, `language_name(tag)`, `country_name(code)`, `direction(tag)`, `size(bytes)`, `text_in(text)` (a
text of the campaign file), `named_languages(tags)`, `named_countries(codes)`. Give user text
its own `lang="{{ item.language }}"` and `dir="{{ direction(item.language) }}"`.

**Components** (`components.html`, all shown in `tests/browser/gallery.html`): `status, reason, when,
timeline, media, reasons_picker, key_hints, toast, figure, bars, trend, file_list, preview, state, problem,
errors, lease, copyable, field`.

**Files**: `services/<service>/web/static/*` is served at `asset("name.js")`; what is shared at
`asset("shared/name.js")`. The content's hash is in the address, so a browser keeps them for a year. No
inline script, style or handler is allowed (the CSP refuses them): behaviour hangs on attributes.
`data-key="a"` clicks an element by keyboard, `data-list` moves through `[data-item]` with j and k,
`data-refresh="20"` renews an element with an id every 20 s, `data-countdown="<time>"` counts down,
`data-copy` copies, `data-once` stops a double tap.

**Languages**: `?lang=`, then the cookie `konullu_lang`, then Accept-Language; every language that has a catalogue
`locale/<lang>/messages.po`, read at start-up. `python -m shared.web.extraction` extracts and updates them.
"""

from shared.web.catalogues import LANGUAGES
from shared.web.language import direction
from shared.web.pages import Pages, came_from_elsewhere

__all__ = ["LANGUAGES", "Pages", "came_from_elsewhere", "direction"]
