"""core/experiment/statistics.h against scipy and statsmodels, to 1e-6 of each number.

The program build-*/tests/statistics_lines answers with what C computes; here the same numbers are
computed anew by other people's code, from the same drawn data.
"""

import pathlib
import subprocess

import pytest

import rewardd

numpy = pytest.importorskip("numpy", reason="python3-numpy is not installed")
stats = pytest.importorskip("scipy.stats", reason="python3-scipy is not installed")
proportion = pytest.importorskip("statsmodels.stats.proportion",
                                 reason="python3-statsmodels is not installed")
weightstats = pytest.importorskip("statsmodels.stats.weightstats",
                                  reason="python3-statsmodels is not installed")

CONFIDENCES = [0.8, 0.95, 0.999]


@pytest.fixture(scope="module")
def ask():
    daemon = rewardd.binary()
    path = pathlib.Path(daemon).parent / "tests" / "statistics_lines" if daemon else None
    if path is None or not path.exists():
        pytest.skip("statistics_lines is not built")

    def ask(*words):
        line = " ".join(repr(float(word)) if not isinstance(word, str) else word for word in words)
        done = subprocess.run([str(path)], input=line, capture_output=True, text=True, check=True)
        return [float(number) for number in done.stdout.split()]
    return ask


def same(found, wanted):
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-12)


def drawn(seed, count, shift=0.0):
    """y, and an x that it follows: a column each."""
    generator = numpy.random.default_rng(seed)
    x = generator.exponential(3, count)
    y = 0.6 * x + generator.exponential(2, count) + shift
    return numpy.column_stack([y, x])


def fixtures():
    for seed, counts in enumerate([(5, 7), (40, 40), (300, 1700), (2000, 1900)]):
        yield drawn(seed, counts[0]), drawn(100 + seed, counts[1], shift=0.3)


def arms(control, treatment):
    return [len(control), len(treatment), *control.ravel(), *treatment.ravel()]


def test_distributions(ask):
    for p in [1e-12, 1e-6, 0.001, 0.025, 0.3, 0.5, 0.7, 0.975, 0.999999]:
        same(ask("normal", p), [stats.norm.ppf(p)])
        for degrees in [1, 1.5, 2, 5.7, 30, 400.25, 1e5]:
            same(ask("t", p, degrees), [stats.t.ppf(p, degrees)])
    for x in [-30, -4.2, -1, -0.01, 0, 0.5, 3, 12]:
        for degrees in [1, 2.5, 17, 1e4]:
            same(ask("tcdf", x, degrees), [stats.t.cdf(x, degrees)])
    for x in [1e-6, 0.1, 1, 3.84, 10, 50, 300]:
        for degrees in [1, 2, 3, 9, 60]:
            found, = ask("chi", x, degrees)
            assert found == pytest.approx(stats.chi2.sf(x, degrees), rel=1e-6)


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_welch(ask, confidence):
    for control, treatment in fixtures():
        y = treatment[:, 0], control[:, 0]
        t = stats.ttest_ind(*y, equal_var=False)
        means = weightstats.CompareMeans(*map(weightstats.DescrStatsW, y))
        low, high = means.tconfint_diff(alpha=1 - confidence, usevar="unequal")
        difference = y[0].mean() - y[1].mean()
        same(ask("welch", confidence, *arms(control, treatment)),
             [difference, difference / t.statistic, low, high, t.pvalue, means.dof_satt()])


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_cuped(ask, confidence):
    """y is adjusted user by user, then Welch's test is asked."""
    for control, treatment in fixtures():
        both = numpy.vstack([control, treatment])
        theta = numpy.cov(both[:, 0], both[:, 1])[0, 1] / both[:, 1].var(ddof=1)
        y = [arm[:, 0] - theta * (arm[:, 1] - both[:, 1].mean()) for arm in (treatment, control)]
        t = stats.ttest_ind(*y, equal_var=False)
        means = weightstats.CompareMeans(*map(weightstats.DescrStatsW, y))
        low, high = means.tconfint_diff(alpha=1 - confidence, usevar="unequal")
        difference = y[0].mean() - y[1].mean()
        same(ask("cuped", confidence, *arms(control, treatment)),
             [difference, difference / t.statistic, low, high, t.pvalue, means.dof_satt()])


def by_normal(difference, variance, confidence):
    error = variance ** 0.5
    low, high = stats.norm.interval(confidence, difference, error)
    return [difference, error, low, high, 2 * stats.norm.sf(abs(difference) / error), 0]


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_lift(ask, confidence):
    """The delta method as a quadratic form: gradient and covariance matrix of the two means."""
    for control, treatment in fixtures():
        a, b = control[:, 0], treatment[:, 0]
        gradient = numpy.array([-b.mean() / a.mean() ** 2, 1 / a.mean()])
        covariance = numpy.diag([stats.sem(a) ** 2, stats.sem(b) ** 2])
        same(ask("lift", confidence, *arms(control, treatment)),
             by_normal(b.mean() / a.mean() - 1, gradient @ covariance @ gradient, confidence))


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_ratio(ask, confidence):
    for control, treatment in fixtures():
        variance, ratios, variances = 0, [], []
        for arm in control, treatment:
            y, x = arm.mean(axis=0)
            gradient = numpy.array([1 / x, -y / x ** 2])
            variances.append(gradient @ (numpy.cov(arm.T) / len(arm)) @ gradient)
            variance += variances[-1]
            ratios.append(y / x)
        same(ask("ratio", confidence, *arms(control, treatment)),
             by_normal(ratios[1] - ratios[0], variance, confidence))
        gradient = numpy.array([-ratios[1] / ratios[0] ** 2, 1 / ratios[0]])
        same(ask("ratio_lift", confidence, *arms(control, treatment)),
             by_normal(ratios[1] / ratios[0] - 1,
                       gradient @ numpy.diag(variances) @ gradient, confidence))


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_proportions(ask, confidence):
    for a, n, b, m in [(1, 9, 2, 11), (0, 50, 3, 60), (50, 1000, 65, 990), (999, 1000, 980, 1000)]:
        low, high = proportion.confint_proportions_2indep(
            b, m, a, n, method="newcomb", compare="diff", alpha=1 - confidence)
        z, p = proportion.proportions_ztest([b, a], [m, n])
        difference = b / m - a / n
        same(ask("proportions", confidence, a, n, b, m),
             [difference, difference / z, low, high, p, 0])


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_sequential(ask, confidence):
    """The paper's formula (eq. 6), and its p by a search for the alpha that just touches 0."""
    optimize = pytest.importorskip("scipy.optimize")
    tuned = 500
    for control, treatment in fixtures():
        count = len(control) + len(treatment)
        difference = treatment[:, 0].mean() - control[:, 0].mean()
        error = (stats.sem(control[:, 0]) ** 2 + stats.sem(treatment[:, 0]) ** 2) ** 0.5
        log_alpha = -2 * numpy.log(1 - confidence)
        rho2 = (log_alpha + numpy.log(log_alpha + 1)) / tuned

        def half(alpha):
            sigma = error * count ** 0.5
            return sigma * (2 * (count * rho2 + 1) / (count ** 2 * rho2)
                            * numpy.log((count * rho2 + 1) ** 0.5 / alpha)) ** 0.5
        p = 1.0
        if abs(difference) > half(1.0):
            p = numpy.exp(optimize.brentq(
                lambda log_p: half(numpy.exp(log_p)) - abs(difference), -700, 0, xtol=1e-13))
        width = half(1 - confidence)
        same(ask("sequential", confidence, tuned, *arms(control, treatment)),
             [difference, error, difference - width, difference + width, p, 0])


def test_srm(ask):
    for counts, weights in [([5000, 5100], [50, 50]), ([10, 0], [0.5, 0.5]),
                            ([100, 210, 690], [0.1, 0.2, 0.7]), ([30, 0, 31, 29], [1, 1, 1, 1])]:
        expected = numpy.array(weights) / sum(weights) * sum(counts)
        wanted = stats.chisquare(counts, expected)
        found = ask("srm", len(counts), *counts, *weights)
        assert found == pytest.approx([wanted.statistic, wanted.pvalue, len(counts) - 1], rel=1e-6)
