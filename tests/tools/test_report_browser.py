"""The page of tools/report.py in a real browser, cut off from any network."""

import base64
import json
import re
import shutil

import pytest

from tests.tools.report_world import CLASSES, HOSTILE, finished_world

BROWSER = shutil.which('chromium') or shutil.which('chromium-browser')
DRIVER = shutil.which('chromedriver')
webdriver = pytest.importorskip('selenium.webdriver', reason='needs selenium')
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason='no chromium and chromedriver'),
]
FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'),
    *('--no-first-run', '--disable-background-networking', '--disable-sync'),
    *('--disable-component-update', '--window-size=1280,900'),
)
PLAY = """
const [video, done] = arguments;
const answer = () => done([
    video.readyState, video.videoWidth, video.videoHeight, video.duration,
    video.currentTime, video.error && video.error.message]);
video.addEventListener('timeupdate', () => video.currentTime > 0 && answer());
video.addEventListener('error', answer);
video.play().catch(error => done([0, 0, 0, 0, 0, String(error)]));
"""
IMAGES = """
const [done] = arguments, images = [...document.images];
Promise.all(images.map(image => image.decode().then(() => image.naturalWidth, () => 0)))
    .then(done);
"""


@pytest.fixture(scope='module')
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f'--user-data-dir={tmp_path_factory.mktemp("profile")}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', dict(browser='ALL', performance='ALL'))
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(300)
    driver.set_script_timeout(300)
    yield driver
    driver.quit()


@pytest.fixture(scope='module')
def page(driver, tmp_path_factory):
    """The driver, at the page of a run whose names are hostile."""
    folder = finished_world(tmp_path_factory.getbasetemp())
    driver.get((folder / 'run/report.html').as_uri())
    return driver


def texts(page, selector):
    return [element.text for element in page.find_elements('css selector', selector)]


def test_it_renders_and_runs_nothing(page):
    assert page.title == 'run'
    expected = 'Standard protocol,Capsule protocol,Videos,Errors,Training,Configuration'
    assert texts(page, 'h2') == texts(page, 'nav a') == expected.split(',')
    widths = page.execute_async_script(IMAGES)
    assert len(widths) >= 14 and min(widths) > 0
    # what is hostile is shown as it is: as a caption, and in a table
    assert HOSTILE in texts(page, 'figcaption b')
    assert CLASSES[1] in texts(page, 'tbody th')
    with pytest.raises(Exception, match='no such alert'):
        page.switch_to.alert.accept()


def test_videos_play(page):
    videos = page.find_elements('css selector', 'video')
    assert len(videos) == 5
    for video in videos:
        ready, width, height, duration, at, error = page.execute_async_script(
            PLAY, video
        )
        assert error is None and ready >= 2 and 0 < at <= duration
        assert width >= 640 and height > 200 and duration > 0.5


@pytest.mark.parametrize('width', [1280, 390])
def test_it_fits_the_screen(page, width):
    metrics = dict(width=width, height=800, deviceScaleFactor=1, mobile=width < 500)
    page.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    assert page.execute_script('return document.documentElement.scrollWidth') <= width
    page.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_what_is_folded_is_on_paper(page):
    def seen():
        return page.execute_script(
            "return [...document.querySelectorAll('details > :not(summary)')]"
            '.map(part => part.checkVisibility() && part.offsetHeight)'
        )

    assert seen() and not any(seen())
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media='print'))
    assert all(seen())
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media=''))
    paper = base64.b64decode(page.print_page())
    assert len(re.findall(rb'/Type /Page\b', paper)) > 5


def test_nothing_is_fetched_and_nothing_is_complained_about(page):
    # after the tests above, which have decoded and played all there is
    asked = {
        message['params']['request']['url']
        for entry in page.get_log('performance')
        for message in [json.loads(entry['message'])['message']]
        if message['method'] == 'Network.requestWillBeSent'
    }
    # what the browser begins with is its own
    foreign = {url for url in asked if not url.startswith(('data:', 'chrome'))}
    assert foreign == {page.current_url}
    assert page.get_log('browser') == []
