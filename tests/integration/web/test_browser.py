"""The desk in a browser of the system: by keyboard, without script, on a phone, in the dark; and as axe-core judges it.

The browser is the one that ARSYNC_CHROMIUM names, else a `chromium` in the path; the tests are skipped where there is
none.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.integration.store.books import TODAY, customer, invoice, payment
from tests.integration.web.conftest import PASSWORD, House, a_call, moved

from arsync.domain.states import MessageState

PAGES = (
    "/", "/customers", "/customers?show=all&sort=name", "/customers/harbour/C1", "/statements/harbour/C1", "/reports",
    "/reports/aging", "/reports/changes", "/reports/dso", "/reports/promises", "/playbooks", "/playbooks/standard",
    "/playbooks/standard/friendly", "/simulate?playbook=standard&against=gentle&from=2026-07-01&to=2026-08-31",
    "/approvals", "/approvals?step=friendly", "/approvals?doing=edit", "/approvals?doing=reject",
    "/approvals?told=approved&of=1", "/calls", "/calls/2", "/messages", "/messages/1", "/messages/2", "/messages/3",
    "/connections", "/connections/harbour", "/audit?people=no", "/no-such-page",
)  # fmt: skip
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module")
def browser_of_the_system() -> Iterator[Browser]:
    where = os.environ.get("ARSYNC_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if where is None:
        pytest.skip("no browser: set ARSYNC_CHROMIUM, or install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def address(house: House) -> Iterator[str]:
    """Where the desk is served to it: Harbour has a message to approve (1), a call about two invoices (2), a message
    that nobody knows about (3), a payment on no invoice, and a late invoice."""
    house.harbour.keep(payment("P9", "25.00", received_on=TODAY))
    for name in ("C2", "C3"):
        house.harbour.keep(
            customer(name, name=f"{name} & Sons"), *(invoice(f"{name}-{one}", customer=name) for one in "12")
        )
    house.harbour.follow()
    house.harbour.plan(state=MessageState.PLANNED)
    a_call(house, "C2-1", "C2-2", payer="C2")
    lost = house.harbour.plan("C3", invoices=("C3-1",))
    moved(house, lost, *(MessageState(one) for one in ("approved", "claimed", "sending", "unknown")))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(house.desk, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


def enter(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(f"{address}/login")
    page.fill("#name", "ann")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(f"{address}/")
    return page


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_promise_is_kept_by_who_comes_with_a_browser(
    browser_of_the_system: Browser, address: str, house: House, script: bool
) -> None:
    context = browser_of_the_system.new_context(java_script_enabled=script)
    page = enter(context, address)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    if script:
        page.keyboard.press("/")
        page.keyboard.type("acme")
        page.keyboard.press("Enter")
        page.wait_for_url("**/customers?q=acme")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
    else:
        page.goto(f"{address}/customers?q=acme")
        page.click("a.row")
    page.wait_for_url("**/customers/harbour/C1")
    page.click("summary:has-text('Promise')")
    page.fill("#promise-day", "2026-09-11")
    page.fill("#promise-reason", "Ada, by phone")
    page.click("button:has-text('Keep the promise')")
    page.wait_for_url("**/customers/harbour/C1?done=promise&n=1")
    assert "The promise is kept as hold 1" in page.inner_text("[role=status]")
    assert said == [], "nothing that the browser would complain of"
    assert ("promise_given", "ann") in house.log()
    context.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_message_is_edited_approved_and_taken_back_by_keyboard_alone(
    browser_of_the_system: Browser, address: str, house: House
) -> None:
    page = enter(browser_of_the_system.new_context(), address)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{address}/approvals")
    page.keyboard.press("e")
    page.wait_for_url("**doing=edit**")
    assert page.evaluate("document.activeElement.id") == "new-text"
    page.keyboard.press("Control+A")
    page.keyboard.type("Dear Ada, please pay. Ann")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**told=edited**")
    page.keyboard.press("a")
    page.wait_for_url("**told=approved**")
    now = house.harbour.message(1)
    assert (now.state, now.approved_by, now.edited_by) == (MessageState.APPROVED, "ann", "ann")
    assert now.text.strip() == "Dear Ada, please pay. Ann"
    page.keyboard.press("u")
    page.wait_for_url("**told=taken_back**")
    page.keyboard.press("r")
    page.wait_for_url("**doing=reject**")
    page.keyboard.type("they rang us")
    page.keyboard.press("Enter")
    page.wait_for_url("**told=rejected**")
    assert house.harbour.message(1).reason == "rejected by ann: they rang us"
    assert said == []
    page.context.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_what_came_of_a_call_takes_two_clicks(
    browser_of_the_system: Browser, address: str, house: House, script: bool
) -> None:
    page = enter(browser_of_the_system.new_context(java_script_enabled=script), address)
    page.goto(f"{address}/calls/2")
    page.click("summary:has-text('They promised')")
    page.click("button:has-text('Keep the promise')")
    page.wait_for_url("**/calls?kept=1")
    assert "promised: kept" in page.inner_text("[role=status]")
    assert ("call_made", "ann") in house.log()
    page.context.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_no_page_shuts_anybody_out(browser_of_the_system: Browser, address: str, scheme: str, width: int) -> None:
    """WCAG A and AA as axe-core judges them, none disabled; nothing stands out over the edge of a phone."""
    context = browser_of_the_system.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    stranger = context.new_page()
    stranger.goto(f"{address}/login")
    found = [_judged(stranger, "/login")]
    page = enter(context, address)
    for path in PAGES:
        page.goto(address + path)
        page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        found.append(_judged(page, path))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert [line for lines in found for line in lines] == []
    grounds = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (grounds == "rgb(18, 22, 28)") is (scheme == "dark")
    context.close()


def _judged(page: Page, path: str) -> list[str]:
    told = Axe().run(page, options=RULES).response["violations"]
    return [f"{path}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:120]}" for one in told]
