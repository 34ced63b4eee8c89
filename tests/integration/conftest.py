"""Fixtures: a wallet and as many daemons as a test wants, each gone when the test ends."""

import os
import pathlib

import pytest

import rewardd
import rulebook
import wallet as wallet_module


@pytest.fixture
def wallet():
    """The sample wallet on a free port."""
    with wallet_module.Wallet([rewardd.SECRET]) as running:
        yield running


@pytest.fixture(scope="session")
def built():
    """Asks for a built daemon."""
    if rewardd.binary() is None:
        pytest.skip("no rewardd binary: run ./dev build or set REWARDD_BIN_DIR")


@pytest.fixture
def make_daemon(built, tmp_path, wallet, request):
    """make_daemon(rules=..., fault=..., start=False, ...): see rewardd.Daemon for the options."""
    made = []

    def make(start=True, **options):
        folder = tmp_path / f"daemon{len(made)}"
        folder.mkdir()
        daemon = rewardd.Daemon(folder, **{"wallet": wallet, "rules": rulebook.POINTS, **options})
        made.append(daemon)
        return daemon.start() if start else daemon

    yield make
    for daemon in made:
        daemon.close()
    if getattr(request.node, "failed", False):
        for daemon in made:
            print(f"--- log of {daemon.folder.name}\n{daemon.log()[-8000:]}")
    reports = [report for daemon in made for report in daemon.sanitizer_reports()]
    assert not reports, "\n".join(reports)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Tells make_daemon whether to show the daemons' logs."""
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True


@pytest.fixture
def daemon(make_daemon):
    """A daemon with the points-only rule book."""
    return make_daemon()


@pytest.fixture
def paying(make_daemon):
    """A daemon whose rule pays 5.00 EUR at 10 points to players with KYC 2."""
    return make_daemon(rules=rulebook.PAYS)


@pytest.fixture
def faults(built):
    """Asks for a build with named fault points."""
    if not rewardd.has_fault_points():
        pytest.skip("this build has no fault points (RWD_FAULTS)")


@pytest.fixture
def at_speed(built):
    """Asks for a build in which times and memory say something."""
    if rewardd.has_thread_sanitizer():
        pytest.skip("a sanitizer's build is slow and large")


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the repository; REWARDD_SHARED_DATA names another place."""
    chosen = os.environ.get("REWARDD_SHARED_DATA")
    folder = pathlib.Path(chosen) if chosen else rewardd.REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not there: the real data is not part of the project")
    return folder
