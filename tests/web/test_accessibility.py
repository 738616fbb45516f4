"""axe-core finds nothing in any state; the keyboard alone does everything; nothing is too small or cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.chat_page import DESKTOP, PHONE, SMALLEST, ChatPage, browser_path
from tests.web.harness import ThreadedServer, scripted

SOURCES = [{"ref": n, "doc": "d", "title": f"Title {n}", "section": f"Section {n}"} for n in (1, 2)]
YES_NO = [{"title": title, "payload": title} for title in ("Yes", "No", "Not sure")]
DIFFERENCE = "Two documents say heat, one says ice."
REPLIES = {
    "answer": (
        f"I understood: calf cramp.\n\nWhat helps:\n• Stretch. [1]\n• {DIFFERENCE} [2]\n\n"
        "Sources: [1] Title 1; [2] Title 2",
        [{"title": "More", "payload": "tell me more"}],
        {"sources": SOURCES, "facts": ["f"], "differences": [DIFFERENCE]},
    ),
    "emergency": (
        "Call 999 now. It can be your heart.\n• Sit down.\n• Do not drive.",
        [{"title": "This is not happening to me", "payload": "This is not happening to me"}],
        {"kind": "emergency", "rule": "heart", "emergency_number": "999",
         "why": {"rule": "heart", "source": "NHS", "date": "2024-01-01", "reviewed": False}},
    ),
    "urgent": ("Get medical help today.\n• Do not rub it.", [], {"kind": "urgent", "rule": "dvt"}),
    "crisis": (
        "You can talk to someone now.", [],
        {"kind": "crisis", "rule": "self-harm", "links": [{"title": "Call 116 123", "url": "tel:116123"}]},
    ),
    "check": (
        "Before I go on: is one calf swollen or warm?", YES_NO, {"kind": "safety_check", "safety_question": "calf"},
    ),
    "where": (
        "Where in your body is it?", [{"title": "Calf", "payload": "my calf"}], {"kind": "clarify", "picker": True},
    ),
    "note": ("Note\n• calf cramp since Monday", [], {"kind": "summary"}),
}  # fmt: skip
LOOKS = {
    "desktop-light": (DESKTOP, {"color_scheme": "light"}),
    "phone-dark": (PHONE, {"color_scheme": "dark", "has_touch": True}),
    "smallest-contrast": (SMALLEST, {"contrast": "more"}),
    "desktop-forced-colors": (DESKTOP, {"forced_colors": "active"}),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    running = ThreadedServer(tmp_path_factory.mktemp("web"), scripted(REPLIES)).start()
    yield running
    running.stop()


@pytest.fixture
def chat(server: ThreadedServer, chromium: Browser) -> Iterator[ChatPage]:
    with ChatPage(chromium) as one:
        yield one.open(server.url + "/chat/")


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_any_state(server: ThreadedServer, chromium: Browser, look: str):
    size, options = LOOKS[look]
    with ChatPage(chromium, size, reduced_motion="reduce", **options) as chat:
        faults: dict[str, list[str]] = {}

        def check(state: str) -> None:
            faults[state] = chat.axe()
            chat.shot(f"{look}-{len(faults):02}-{state.replace(' ', '-')}")
            wide = chat.page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wide or size == SMALLEST, f"{state}: sideways scrolling"

        chat.page.goto(server.url + "/chat/")
        check("closed")
        chat.open(server.url + "/chat/")
        check("greeting")
        chat.say("answer", "What helps")
        check("answer")
        chat.page.get_by_text("Sources (2)").click()
        chat.button("Not helpful").click()
        check("sources and reasons")
        chat.say("emergency", "your heart")
        chat.page.get_by_text("Why am I seeing this?").last.click()
        check("emergency")
        for state, words in (("urgent", "help today"), ("crisis", "someone"), ("check", "swollen"), ("note", "Monday")):
            chat.say(state, words)
            check(state)
        chat.say("where", "Where in your body")
        check("body front")
        chat.button("Back").click()
        check("body back")
        chat.button("List").click()
        check("body list")
        chat.button("Options").click()
        check("options")
        chat.button("About this assistant").click()
        expect(chat.page.locator(".about")).not_to_contain_text("One moment")
        check("about")
        chat.button("Back to the chat").click()
        chat.button("Options").click()
        chat.button("Delete chat").click()
        check("delete")
        chat.button("No, keep it").click()
        chat.input.fill("x" * 4001)
        check("too long")
        assert not {state: found for state, found in faults.items() if found}
        assert len(faults) == 16


def test_regions_exist_before_they_speak(chat: ChatPage):
    page = chat.page
    assert page.get_by_role("log").count() == 1 and page.get_by_role("status").count() == 1
    assert page.get_by_role("alert").count() == 0
    chat.say("emergency", "your heart")
    expect(page.get_by_role("alert")).to_contain_text("Call 999 now")
    assert page.get_by_role("log").get_by_role("alert").count() == 1  # said once, and as an alert
    chat.say("answer", "What helps")
    assert page.get_by_role("alert").count() == 0


def test_an_arriving_message_leaves_the_focus_where_it_is(chat: ChatPage):
    chat.type("answer")
    chat.button("Options").focus()
    chat.wait_for("What helps")
    expect(chat.button("Options")).to_be_focused()


def test_the_keyboard_alone_does_everything(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium) as chat:
        chat.page.goto(server.url + "/chat/")
        press = chat.page.keyboard.press
        chat.launcher.focus()
        press("Enter")
        expect(chat.input).to_be_focused()
        chat.page.keyboard.type("where")
        press("Enter")
        chat.wait_for("Where in your body")
        _tab_back_to(chat, "Back")
        press("Enter")
        chat.input.focus()
        _tab_back_to(chat, "calf")
        press("Enter")
        chat.wait_for("You said: my calf")  # the payload that the server offered for this part
        chat.page.keyboard.type("check")
        press("Enter")
        chat.wait_for("swollen")
        _tab_back_to(chat, "Not sure")
        press("Space")
        chat.wait_for("You said: Not sure")
        press("Escape")
        expect(chat.launcher).to_be_focused()
        press("Enter")
        expect(chat.input).to_be_focused()
        _tab_back_to(chat, "Options")
        press("Enter")
        expect(chat.button("Talk to a person")).to_be_focused()
        press("Escape")
        expect(chat.button("Options")).to_be_focused()
        assert chat.launcher.count() == 0  # the first Escape closed the menu only


def _tab_back_to(chat: ChatPage, name: str) -> None:
    for _ in range(60):
        focused = chat.page.evaluate(
            "(() => { const e = document.activeElement?.shadowRoot?.activeElement;"
            " return e?.getAttribute('aria-label') || e?.textContent?.trim() || ''; })()"
        )
        if focused == name:
            return
        chat.page.keyboard.press("Shift+Tab")
    raise AssertionError(f"the keyboard does not reach {name}")


def test_every_part_that_can_be_drawn_has_its_equal_in_the_list(chat: ChatPage):
    chat.say("where", "Where in your body")
    drawn = set()
    for side in ("Front", "Back"):
        chat.button(side).click()
        drawn |= {part.get_attribute("aria-label") for part in chat.page.locator(".part").all()}
    chat.button("List").click()
    listed = {text.lower() for text in chat.page.locator(".picker .suggestions button").all_inner_texts()}
    assert len(drawn) >= 12 and drawn <= listed
    for part in ("eyelid", "jaw"):  # too small to draw
        assert part in listed


@pytest.mark.parametrize("look", ["desktop-light", "phone-dark", "smallest-contrast"])
def test_targets_are_44_pixels(server: ThreadedServer, chromium: Browser, look: str):
    size, options = LOOKS[look]
    with ChatPage(chromium, size, **options) as chat:
        chat.open(server.url + "/chat/")
        small: list[str] = []
        for state, words in (
            ("answer", "What helps"),
            ("emergency", "heart"),
            ("check", "swollen"),
            ("where", "Where in"),
        ):
            chat.say(state, words)
            small += _small(chat)
        chat.button("Options").click()
        small += _small(chat)
        assert not small


def _small(chat: ChatPage) -> list[str]:
    """Names what can be pressed and is smaller than 44 pixels; a part drawn twice (both arms) counts by its half."""
    found = chat.page.locator("muscle-spasm-chat").evaluate(
        """host => [...host.shadowRoot.querySelectorAll('button, a.button, summary, textarea, .part path')].map(e => {
            const box = e.getBoundingClientRect(), first = (e.getAttribute('d') ?? '').split('z')[0];
            const one = first && document.createElementNS('http://www.w3.org/2000/svg', 'path');
            if (one) { one.setAttribute('d', first); e.parentNode.append(one); }
            const { width, height } = one ? one.getBoundingClientRect() : box;
            if (one) one.remove();
            return [e.parentNode.getAttribute('aria-label') ?? e.textContent.trim(), width, height];
        })"""
    )
    return [f"{name}: {w:.0f} x {h:.0f}" for name, w, h in found if w and (w < 43.5 or h < 43.5)]


def test_zoom_of_400_percent_keeps_everything_reachable(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium, (320, 256)) as chat:
        chat.open(server.url + "/chat/")
        chat.say("emergency", "your heart")
        call = chat.page.get_by_role("link", name="Call 999")
        call.last.scroll_into_view_if_needed()
        expect(call.last).to_be_in_viewport()
        panel = chat.page.locator(".panel")
        assert panel.evaluate("e => e.scrollWidth <= e.clientWidth")
        chat.input.scroll_into_view_if_needed()
        expect(chat.input).to_be_in_viewport()
        chat.shot("zoom-400")


def test_text_spacing_and_large_letters_cut_nothing_off(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium, PHONE) as chat:
        chat.open(server.url + "/chat/")
        chat.say("emergency", "your heart")
        chat.page.evaluate(
            """() => { const sheet = new CSSStyleSheet();
              sheet.replaceSync('.root{font-size:2em!important} p{margin-block-end:2em!important}'
                + '*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}');
              const root = document.querySelector('muscle-spasm-chat').shadowRoot;
              root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]; }"""
        )
        cut = chat.page.locator("button, .card, .bubble, header").evaluate_all(
            "all => all.filter(e => e.scrollWidth > e.clientWidth + 2 && e.clientWidth).map(e => e.textContent)"
        )
        chat.shot("large-letters")
        assert not cut


def test_text_follows_the_size_the_reader_chose_and_not_the_pages(
    tmp_path: Path, server: ThreadedServer, chromium: Browser
):
    profile = tmp_path / "Default"
    profile.mkdir()
    (profile / "Preferences").write_text(json.dumps({"webkit": {"webprefs": {"default_font_size": 32}}}))
    kind = chromium.browser_type
    with kind.launch_persistent_context(tmp_path, executable_path=browser_path(), args=["--no-sandbox"]) as context:
        page = context.new_page()
        page.goto(server.url + "/chat/")
        page.evaluate("document.documentElement.style.fontSize = '5px'")
        launcher = page.get_by_role("button", name="Chat about muscle spasms")
        assert launcher.evaluate("e => getComputedStyle(e).fontSize") == "34px"


def test_no_motion_for_those_who_want_none(server: ThreadedServer, chromium: Browser):
    for wish, wanted in (("reduce", "none"), ("no-preference", "rise")):
        with ChatPage(chromium, reduced_motion=wish) as chat:
            chat.open(server.url + "/chat/")
            assert chat.page.locator(".panel").evaluate("e => getComputedStyle(e).animationName") == wanted


def test_a_full_screen_chat_shuts_out_the_page_behind(server: ThreadedServer, chromium: Browser):
    with ChatPage(chromium, PHONE) as chat:
        chat.open(server.url + "/chat/")
        main = chat.page.locator("main")
        assert main.evaluate("e => e.inert") and chat.page.locator("[role=dialog][aria-modal=true]").count() == 1
        chat.button("Close chat").click()
        assert not main.evaluate("e => e.inert")


def test_the_message_is_named_by_who_said_it(chat: ChatPage):
    chat.say("answer", "What helps")
    mine, theirs = chat.log.locator(".me").last, chat.log.locator(".bot").last
    assert mine.text_content().strip().startswith("You:") and "Assistant:" in theirs.text_content()
    group = chat.page.get_by_role("group", name="Suggested answers")
    expect(group.get_by_role("button", name="More")).to_be_visible()
    chat.say("check", "swollen")
    expect(chat.page.get_by_role("group", name="Before I go on: is one calf swollen or warm?")).to_be_visible()
