"""A creator's page in a real browser, on a phone and on a desk, with scripts and without.

``python -m creator_pipeline_tests.tools.browser [FOLDER]`` wants the extra ``browser``, and chromium and chromedriver on the
PATH (Debian: chromium, chromium-driver); screenshots go into FOLDER. Not part of the suite, which reads the same page over HTTP.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from sqlalchemy import insert

from creator_pipeline.commands.processes import free_port
from creator_pipeline.core.secrets import new_key
from creator_pipeline.core.windows import now, today
from creator_pipeline.mail import page_link
from creator_pipeline.platforms.gumroad.oauth import CALLBACK_PATH
from creator_pipeline.platforms.gumroad.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from creator_pipeline.store import profiles
from creator_pipeline.store.tables import daily_revenue, kdp_uploads
from creator_pipeline_tests.support.gateway import Gateway
from creator_pipeline_tests.support.sandbox import SandboxServer, World

SIZES = {"phone": (360, 740), "desk": (1280, 900)}
_ARGUMENTS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
)


@contextmanager
def browser(size: tuple[int, int], *, scripts: bool = True) -> Iterator[webdriver.Chrome]:
    """Chromium with a profile of its own."""
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in found:
        sys.exit("chromium and chromedriver are not on the PATH (Debian: apt-get install chromium chromium-driver).")
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for argument in (*_ARGUMENTS.split(), f"--user-data-dir={folder}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(found[1]))
        try:
            width, height = size
            metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if width < 500 else 1}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**metrics, "mobile": width < 500})
            yield driver
        finally:
            driver.quit()


@contextmanager
def gateway(folder: Path) -> Iterator[Gateway]:
    """With alice, who has sold, sent two reports, and isn't connected to Gumroad."""
    os.environ.setdefault("CREATOR_PIPELINE_TEST_KEY", new_key())
    port = free_port(0)
    url = f"http://127.0.0.1:{port}"
    with SandboxServer(World.invented(7, today=today(), sizes={"alice": 5})) as sandbox:
        values = {
            "gumroad_api_url": sandbox.url,
            "gumroad_authorize_url": f"{sandbox.url}/oauth/authorize",
            "gumroad_client_id": CLIENT_ID,
            "gumroad_client_secret": CLIENT_SECRET,
            "gumroad_redirect_uri": f"{url}{CALLBACK_PATH}",
            "public_url": url,
            "dagster_home": folder,
        }
        with Gateway(f"sqlite:///{folder / 'warehouse.sqlite'}", listen=port, **values) as running:
            _furnish(running)
            yield running


def _furnish(running: Gateway) -> None:
    with running.services.warehouse.write() as connection:
        profiles.add_profile(connection, "alice", "alice@example.com", display_name="Alice")
        profiles.connect(connection, running.ring, "whop", "alice", "token")
        profiles.mark_synced(connection, "whop", "alice", now())
        for day in range(90):
            for platform, currency, unit in (("gumroad", "USD", 1), ("whop", "EUR", 2), ("amazon_kdp", "GBP", 0.5)):
                net = int((day * 37 % 90 - (60 if day % 17 == 0 else 0)) * unit * 1_000_000)
                money = {"units": 1, "refunds": 0, "gross_micros": net, "fee_micros": 0, "net_micros": net}
                key = {"profile_id": "alice", "platform": platform, "currency": currency}
                when = today() - timedelta(days=day)
                connection.execute(insert(daily_revenue).values(occurred_on=when, **key, **money))
        error = {
            "message": "An amount can't be read.",
            "hint": "Export the report again.",
            "row": 214,
            "column": "Royalty",
        }
        for name, status, told in (("good.xlsx", "accepted", None), ("bad.csv", "rejected", json.dumps(error))):
            row = {"id": name, "profile_id": "alice", "file_name": name, "location": "x", "rows": 0, "status": status}
            connection.execute(insert(kdp_uploads).values(**row, uploaded_at=now(), error=told))


def visit(driver: webdriver.Chrome, running: Gateway, folder: Path, name: str, *, scripts: bool) -> None:
    """Everything a creator does on the page; raises where something isn't as it should be."""
    driver.get(page_link.url(running.config, "alice", "alice@example.com"))
    assert driver.current_url == f"{running.url}/me", driver.current_url
    driver.save_screenshot(str(folder / f"me-{name}.png"))
    picture = driver.find_element(By.TAG_NAME, "img")
    assert picture.get_property("naturalWidth") > 600
    assert "Whop" in picture.get_attribute("alt")
    root = driver.find_element(By.TAG_NAME, "html")
    width, height = SIZES["desk" if "desk" in name else "phone"]
    assert root.get_property("scrollWidth") <= width
    if "phone" in name:
        assert root.get_property("scrollHeight") <= height, root.get_property("scrollHeight")
    details = driver.find_elements(By.TAG_NAME, "details")
    for each in details:
        # By the keyboard: nobody needs a mouse.
        each.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
        assert each.get_property("open")
    assert root.get_property("scrollWidth") <= width
    assert "row 214" in driver.find_element(By.ID, "uploads").text
    driver.find_element(By.CSS_SELECTOR, "input[value=every]").click()
    driver.find_element(By.CSS_SELECTOR, "input[value=account]").click()
    driver.find_element(By.CSS_SELECTOR, "#mails button").click()
    assert driver.find_element(By.CSS_SELECTOR, "[role=status]").text == "Saved."
    assert driver.find_element(By.CSS_SELECTOR, "input[value=every]").is_selected()
    driver.find_element(By.CSS_SELECTOR, "a.button").click()
    assert headline(driver) == "Gumroad is connected to alice"
    driver.save_screenshot(str(folder / f"connected-{name}.png"))
    driver.find_element(By.LINK_TEXT, "To your page").click()
    assert "The first sync is under way" in driver.find_element(By.TAG_NAME, "main").text
    driver.find_element(By.CSS_SELECTOR, "form[action='/me/leave'] button").click()
    assert headline(driver) == "Signed out", f"{driver.current_url}: {headline(driver)}"
    driver.get(f"{running.url}/me")
    assert headline(driver) == "No page is open here"
    hosts = {running.url.rpartition("/")[2], running.config.gumroad_api_url.rpartition("/")[2]}
    assert foreign(driver, hosts) == []
    complaints = [line["message"] for line in driver.get_log("browser") if "401" not in line["message"]]
    assert complaints == []
    sys.stdout.write(f"ok  {name}{'' if scripts else ', without scripts'}\n")


def headline(driver: webdriver.Chrome) -> str:
    """What the page is about."""
    return driver.find_element(By.TAG_NAME, "h1").text


def foreign(driver: webdriver.Chrome, hosts: set[str]) -> list[str]:
    """Addresses the browser asked that are not ours."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if url.startswith("http") and url.split("/")[2] not in hosts]


def main() -> None:
    """All sizes; the first failure ends it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="creator-page-"))
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, scripts in (("phone", "phone", True), ("desk", "desk", True), ("phone-plain", "phone", False)):
        with (
            tempfile.TemporaryDirectory() as home,
            gateway(Path(home)) as running,
            browser(SIZES[size], scripts=scripts) as driver,
        ):
            visit(driver, running, folder, name, scripts=scripts)
    sys.stdout.write(f"Screenshots: {folder}\n")


if __name__ == "__main__":
    main()
