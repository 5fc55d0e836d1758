"""What prediction stands on, computed again: likelihoods by quadrature, trees by trying all questions."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime, minimize
from scipy.stats import beta, erlang, gamma, norm

from dealwright.plan.prediction import trees
from dealwright.plan.prediction.additive import AdditiveModel
from dealwright.plan.prediction.btyd import (
    OrderHistory,
    OrderTiming,
    _timing_loss,
    _value_loss,
    fit_buy_till_you_die,
)
from dealwright.plan.prediction.calibration import Calibration, reliability
from dealwright.plan.prediction.candidates import Scaled, inverse_logit
from dealwright.plan.prediction.choice import improvement, permutation_p_value
from dealwright.plan.prediction.design import Design
from dealwright.plan.prediction.features import snapshot
from dealwright.plan.prediction.labels import labels_from_orders, shrunk_gap_days
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.order_features import order_columns
from dealwright.plan.prediction.trees import Encoder, SymmetricTrees
from dealwright.plan.prediction.validation import _pairs, shuffled_folds, split_by_time
from dealwright.schemas import ORDER_COLUMNS, AccountSchema, PlanInputs
from dealwright.stats.links import logit

CUT_OFF = datetime(2026, 7, 1)


def history(*rows: tuple[float, float, float, float]) -> OrderHistory:
    """Return customers given as repeats, last day, age, mean value of a repeat."""
    return OrderHistory(*np.array(rows, dtype=float).T, np.full(len(rows), np.nan))


# buy till you die


def likelihood(r, alpha, a, b, k, x, t_x, t_all, wait=0.0):
    """Return the joint densities of what was seen and having left, and of it and staying silent until now.

    Over the laws of rate and chance to leave; what does not depend on the parameters is left out.
    """

    def seen(rate: float) -> float:
        return rate ** (k * x) * np.exp(-rate * t_x) * gamma.pdf(rate, r, scale=1 / alpha)

    most = gamma.ppf(1 - 1e-9, r + k * x, scale=1 / (alpha + t_x))
    gone = beta.expect(lambda p: p * (1 - p) ** x, (a, b))
    stays = beta.expect(lambda p: (1 - p) ** (x + 1), (a, b))
    left = quad(seen, 0, most, limit=200)[0] * gone
    silent = t_all + wait - t_x
    waiting = quad(lambda rate: seen(rate) * erlang.sf(silent, k, scale=1 / rate), 0, most, limit=200)[0]
    return left, waiting * stays


CUSTOMERS = [(0.0, 0.0, 90.0), (2.0, 30.0, 80.0), (5.0, 79.0, 80.0)]


@pytest.mark.parametrize("k", [1, 3])
def test_who_is_alive_and_who_stays_silent_is_by_quadrature(k: int) -> None:
    model = OrderTiming(0.8, 12.0, 0.7, 1.9, k)
    seen = history(*((*customer, 0.0) for customer in CUSTOMERS))
    alive, silent = model.probability_alive(seen), model.probability_silent(seen, 25.0)
    for n, customer in enumerate(CUSTOMERS):
        left, stayed = likelihood(0.8, 12.0, 0.7, 1.9, k, *customer)
        _, still = likelihood(0.8, 12.0, 0.7, 1.9, k, *customer, wait=25.0)
        assert alive[n] == pytest.approx(stayed / (left + stayed), rel=1e-4)
        assert silent[n] == pytest.approx((left + still) / (left + stayed), rel=1e-4)


@pytest.mark.parametrize("k", [1, 3])
def test_the_likelihood_of_timing_is_by_quadrature_and_its_gradient_by_differences(k: int) -> None:
    seen = history(*((*customer, 0.0) for customer in CUSTOMERS))
    loss = _timing_loss(seen, 1.0, k)
    first, second = np.log([0.8, 12.0, 0.7, 1.9]), np.log([1.6, 30.0, 1.1, 3.0])
    by_hand = [
        -np.mean([np.log(sum(likelihood(*np.exp(point), k, *customer))) for customer in CUSTOMERS])
        for point in (first, second)
    ]
    # constants are left out of both
    assert loss(first)[0] - loss(second)[0] == pytest.approx(by_hand[0] - by_hand[1], rel=1e-4)
    for point in (first, second):
        slope = approx_fprime(point, lambda p: loss(p)[0], 1e-7)
        assert loss(point)[1] == pytest.approx(slope, abs=1e-5)
    # days in other units are the same likelihood but for a constant
    scaled = _timing_loss(seen, 10.0, k)
    moved = [point - np.log([1.0, 10.0, 1.0, 1.0]) for point in (first, second)]
    assert scaled(moved[0])[0] - scaled(moved[1])[0] == pytest.approx(by_hand[0] - by_hand[1], rel=1e-4)


def test_the_likelihood_of_spend_is_by_quadrature_and_its_gradient_by_differences() -> None:
    seen = history((1.0, 5.0, 9.0, 14.0), (3.0, 5.0, 9.0, 40.0))
    loss = _value_loss(seen, 1.0)

    def by_hand(p: float, q_over: float) -> float:
        q, v = 1.0 + q_over, q_over / p
        found = []
        for x, mean in ((1.0, 14.0), (3.0, 40.0)):

            def density(rate: float, x=x, mean=mean) -> float:
                return gamma.pdf(mean, p * x, scale=1 / (rate * x)) * gamma.pdf(rate, q, scale=1 / v)

            found.append(np.log(quad(density, 0, np.inf)[0]))
        return -float(np.mean(found))

    for point in ([2.0, 1.5], [6.0, 0.7]):
        assert loss(np.log(point))[0] == pytest.approx(by_hand(*point), rel=1e-6)
        slope = approx_fprime(np.log(point), lambda p: loss(p)[0], 1e-7)
        assert loss(np.log(point))[1] == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("n", [400, 4_400])
def test_the_fit_is_the_likeliest_that_another_search_finds(n: int) -> None:
    rng = np.random.default_rng(n)
    repeats = rng.poisson(rng.gamma(0.8, 3.0, n)).astype(float)
    age = rng.uniform(60.0, 300.0, n)
    last = np.where(repeats > 0, age * rng.beta(repeats + 0.5, 1.0), 0.0)
    seen = OrderHistory(
        repeats, last, age, np.where(repeats > 0, rng.gamma(3.0, 9.0, n), 0.0), np.full(n, np.nan)
    )
    model = fit_buy_till_you_die(seen, rng)
    scale = age.max()
    loss = _timing_loss(seen, scale, 1)
    ours = loss(np.log([model.orders.r, model.orders.alpha / scale, model.orders.a, model.orders.b]))[0]
    theirs = minimize(lambda p: loss(p)[0], [0.0, 0.0, 0.0, 0.0], method="Nelder-Mead",
                      options={"maxiter": 4_000, "fatol": 1e-10, "xatol": 1e-6}).fun  # fmt: skip
    assert ours <= theirs + 1e-5


# trees


def naive_trees(bins, target, rng, count, depth):
    """Grow symmetric trees on squares by trying every question on all rows; return each row's score."""
    n = bins.shape[1]
    score = np.full(n, target.mean() / max(target.std(), 1e-12))
    goal = target / max(target.std(), 1e-12)
    for _ in range(count):
        weight = rng.standard_exponential(n)
        slope = weight * (goal - score)
        leaf = np.zeros(n, dtype=int)
        for level in range(depth):
            best, question = 0.0, None
            for f in range(len(bins)):
                for edge in range(bins[f].max()):
                    above = bins[f] > edge
                    gain = 0.0
                    for side in (above, ~above):
                        for k in range(2**level):
                            rows = side & (leaf == k)
                            gain += slope[rows].sum() ** 2 / (weight[rows].sum() + 3.0)
                    if gain > best * (1 + 1e-9):
                        best, question = gain, above
            leaf = leaf + 2**level * question
        for k in range(2**depth):
            rows = leaf == k
            score[rows] += 0.04 * slope[rows].sum() / (weight[rows].sum() + 3.0)
    return score * max(target.std(), 1e-12)


def test_trees_ask_the_best_question_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_TREES", 4)
    monkeypatch.setattr(trees, "_DEPTH", 3)
    monkeypatch.setattr(trees, "_LEAVES", 8)
    rng = np.random.default_rng(1)
    numeric = rng.integers(0, 6, (90, 3)).astype(float)
    numeric[:9, 0] = np.nan
    target = (
        3.0 * (numeric[:, 1] > 2) * (numeric[:, 2] > 1) + np.isnan(numeric[:, 0]) + rng.normal(0, 0.5, 90)
    )
    design = Design(numeric.astype(np.float32), np.empty((90, 0), dtype=np.int16), ())
    _, bins = Encoder.fitted(design, target, np.random.default_rng(5))
    assert (bins[0] == np.where(np.isnan(numeric[:, 0]), 0, numeric[:, 0] + 1)).all()
    model = SymmetricTrees.fitted(design, target, "amount", np.random.default_rng(5))
    again = np.random.default_rng(5)
    again.permutation(90)  # the encoder's folds
    assert model.predict(design) == pytest.approx(naive_trees(bins.astype(int), target, again, 4, 3))


def test_the_leaves_of_a_single_question_are_newtons_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_TREES", 1)
    rng = np.random.default_rng(2)
    x = rng.integers(0, 2, 200).astype(float)
    design = Design(x[:, None].astype(np.float32), np.empty((200, 0), dtype=np.int16), ())
    for kind in ("probability", "spend"):
        label = (rng.random(200) < 0.2 + 0.5 * x).astype(float) * (1.0 if kind == "probability" else 70.0)
        seed = np.random.default_rng(3)
        model = SymmetricTrees.fitted(design, label, kind, seed)
        again = np.random.default_rng(3)
        again.permutation(200)
        weight = again.standard_exponential(200)
        mean = label.mean()
        for side in (0.0, 1.0):
            w, y = weight[x == side], label[x == side]
            if kind == "probability":
                score = logit(np.array(mean)) + 0.04 * (w @ (y - mean)) / (w.sum() * mean * (1 - mean) + 3.0)
                expected = 1 / (1 + np.exp(-score))
            else:
                expected = mean * np.exp(0.04 * (w @ (y / mean - 1.0)) / (w.sum() + 3.0))
            found = model.predict(
                Design(np.array([[side]], dtype=np.float32), np.empty((1, 0), np.int16), ())
            )
            assert found[0] == pytest.approx(float(expected), rel=1e-6)


# additive models


@pytest.mark.parametrize("loss", ["logistic", "tweedie", "gamma"])
def test_an_additive_model_is_the_penalised_fit_of_its_columns(loss: str) -> None:
    rng = np.random.default_rng(6)
    x, codes = rng.normal(size=700), rng.integers(0, 3, 700)
    eta = 0.5 * x + 0.4 * (codes == 1)
    y = (
        (rng.random(700) < inverse_logit(eta)).astype(float)
        if loss == "logistic"
        else rng.gamma(2.0, np.exp(eta))
    )
    design = Design(x[:, None].astype(np.float32), codes[:, None].astype(np.int16), (3,))
    found = AdditiveModel.fitted(design, y, loss=loss, penalty=9.0, knots=2).predict(design)
    columns = np.column_stack([x, *(codes == k for k in range(3))]).astype(float)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)

    def badness(w: np.ndarray) -> float:
        score = w[0] + columns @ w[1:]
        if loss == "logistic":
            likelihood = y * score - np.logaddexp(0, score)
        elif loss == "gamma":
            likelihood = -y * np.exp(-score) - score
        else:
            likelihood = -2 * (y * np.exp(-score / 2) + np.exp(score / 2))
        return -likelihood.sum() + 4.5 * (w[1:] ** 2).sum()

    best = minimize(badness, np.zeros(5)).x
    expected = best[0] + columns @ best[1:]
    expected = inverse_logit(expected) if loss == "logistic" else np.exp(expected)
    assert found == pytest.approx(expected, rel=0.02)


def test_a_level_that_was_never_seen_is_an_average_one() -> None:
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 2, 500)
    y = 10.0 + 4.0 * codes + rng.normal(size=500)
    design = Design(np.empty((500, 0), np.float32), codes[:, None].astype(np.int16), (3,))
    model = AdditiveModel.fitted(design, y, loss="squared", penalty=1.0)
    # another level, one that was declared and not seen, and a missing one
    new = Design(np.empty((3, 0), np.float32), np.array([[3], [2], [-1]], dtype=np.int16), (3,))
    assert model.predict(new) == pytest.approx(np.full(3, y.mean()), abs=1e-6)


# calibration and choice


def test_calibration_is_drawn_to_the_probabilities_as_they_are() -> None:
    rng = np.random.default_rng(8)
    p = rng.uniform(0.1, 0.6, 80)
    label = (rng.random(80) < inverse_logit(2.0 * logit(p))).astype(float)
    x = logit(p)

    def badness(w: np.ndarray) -> float:
        score = w[0] + w[1] * x
        # twenty rows' worth on the slope, a quarter each
        return -(label * score - np.logaddexp(0, score)).sum() + 0.5 * 5.0 * (x.std() * (w[1] - 1)) ** 2

    best = minimize(badness, [0.0, 1.0]).x
    found = Calibration.fitted(label, p)
    assert [found.shift, found.slope] == pytest.approx(best, abs=1e-3)
    ahead = Calibration.ahead(Calibration(0.3, 0.5), label, p)

    def level(w: np.ndarray) -> float:
        score = w[0] + 0.5 * x
        return -(label * score - np.logaddexp(0, score)).sum() + 0.5 * 5.0 * w[0] ** 2

    assert (ahead.shift, ahead.slope) == pytest.approx((minimize(level, [0.0]).x[0], 0.5), abs=1e-3)
    assert Calibration.ahead(Calibration(0.0, 1.7), label, p).slope == 1.0
    assert Calibration.fitted(1.0 - (p > 0.3), p) == Calibration()  # upside down: nothing is changed


def test_reliability_is_the_share_in_bins_of_equally_many_with_wilsons_interval() -> None:
    predicted = np.append(np.linspace(0.0, 0.99, 150), np.nan)
    target = np.append((np.arange(150) % 3 == 0).astype(float), 1.0)
    first, second = reliability(target, predicted)
    assert [first["rows"], second["rows"]] == [75, 75]
    assert first["until"] == pytest.approx(predicted[74])
    assert first["share"] == pytest.approx(1 / 3)
    z = norm.ppf(0.95)
    for end in (first["low"], first["high"]):
        # Wilson: the rates whose own error reaches to what was seen
        assert abs(1 / 3 - end) == pytest.approx(z * np.sqrt(end * (1 - end) / 75), rel=1e-6)
    assert first["low"] < 1 / 3 < first["high"]
    assert len(reliability(target[:119], predicted[:119])) == 1
    assert len(reliability(np.zeros(700), np.linspace(0, 1, 700))) == 10
    assert reliability(np.zeros(0), np.zeros(0)) == []
    assert reliability(np.zeros(60), np.zeros(60))[0]["low"] == 0.0


def test_a_gain_is_real_beyond_its_one_sided_error() -> None:
    """A hundred differences with a standard deviation of 1."""
    noise = np.array([1.0, -1.0] * 50)
    noise /= noise.std(ddof=1)
    for mean, real in ((0.16, False), (0.17, True)):
        found = improvement(np.zeros(100), mean + noise)
        assert (found.mean, found.error) == pytest.approx((mean, 0.1))
        assert found.is_real is real
    assert improvement(np.zeros(1), np.ones(1)).error == float("inf")


def test_shuffled_labels_that_fit_as_well_count_and_the_true_ones_once() -> None:
    label = np.array([1.0, 0.0, 0.0])
    predicted = np.array([0.9, 0.2, 0.1])
    # a third of all orders is the true one
    p = [
        permutation_p_value(label, predicted, "probability", np.random.default_rng(seed))
        for seed in range(40)
    ]
    assert np.mean(p) == pytest.approx((1 + 199 / 3) / 200, abs=0.02)
    rng = np.random.default_rng(0)
    sure = permutation_p_value(np.arange(30.0), np.arange(1.0, 31.0), "spend", rng)
    assert sure == pytest.approx(1 / 200)
    # of an amount a prediction below 0 counts as it is: here the lowest ones go with the largest amounts
    amounts = np.append(np.full(20, 9.0), np.zeros(20))
    below = np.append(np.linspace(-20.0, -1.0, 20), np.zeros(20))
    assert permutation_p_value(amounts, below, "amount", np.random.default_rng(0)) == 1.0
    assert permutation_p_value(-amounts, below, "amount", np.random.default_rng(0)) == pytest.approx(1 / 200)


def test_folds_are_of_equal_size_and_pairs_leave_nobody_out() -> None:
    fold = shuffled_folds(23, np.random.default_rng(0), 5)
    assert sorted(np.bincount(fold)) == [4, 4, 5, 5, 5]
    assert _pairs([0, 1, 2, 3]) == [(0, 1), (2, 3)]
    assert _pairs([0, 1, 2]) == [(0, 1), (2, 0)]
    earlier, later = split_by_time(np.array([5, 1, 2, 3, 4, 4, 4, 6, 7, 8]), 0.3)
    assert (earlier.tolist(), later.tolist()) == ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])
    tied = split_by_time(np.array([1, 2, 2, 2, 2]), 0.3)
    assert (tied[0].tolist(), tied[1].tolist()) == ([0], [1, 2, 3, 4])


# orders


def ledger(*orders: tuple[str, float, float], accounts: str = "abcd") -> Ledger:
    """Return orders given as account, days before the cut-off, amount."""
    frame = pl.DataFrame(
        [(name, CUT_OFF - timedelta(days=day), amount) for name, day, amount in orders],
        schema={name: ORDER_COLUMNS[name] for name in ("account_id", "ordered_at", "amount_eur")},
        orient="row",
    )
    return Ledger.of(frame, pl.Series("account_id", list(accounts)))


def test_labels_by_rhythm_and_by_silence() -> None:
    """An order at the cut-off is past, one at the end of the horizon in it; gaps: 10 days of a, 60 of b."""
    book = ledger(
        ("a", 20, 5.0), ("a", 10, 5.0), ("a", 0, 5.0), ("b", 61, 1.0), ("b", 1, 1.0), ("c", 5, 1.0),
        ("c", -30, 8.0), ("c", -31, 9.0), ("z", 3, 1.0),
    )  # fmt: skip
    known = np.array([True, True, True, True])
    options = {"known": known, "definition": "silence", "rhythm_factor": 1.0}
    found = labels_from_orders(book, CUT_OFF, 30, **options)
    assert found.churned.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert found.value_eur.tolist() == [0.0, 0.0, 8.0, 0.0]
    # own gaps drawn by two of the population's 35 days: a 22.5, b 43.3, others 35
    own = shrunk_gap_days(np.array([2.0, 1.0, 0.0, 0.0]), np.array([20.0, 60.0, 0.0, 0.0]))
    assert own == pytest.approx([(20 + 70) / 4, (60 + 70) / 3, 35.0, 35.0])
    rhythm = labels_from_orders(book, CUT_OFF, 30, **options | {"definition": "rhythm"})
    # silent for 30 days at the end a has left, b has not after 31; d never ordered
    assert rhythm.churned.tolist() == [1.0, 0.0, 0.0, 1.0]
    for factor, left in ((31 / own[1] - 1e-6, 1.0), (31 / own[1] + 1e-6, 0.0)):
        exact = labels_from_orders(
            book, CUT_OFF, 30, **options | {"definition": "rhythm", "rhythm_factor": factor}
        )
        assert exact.churned[1] == left
    unknown = labels_from_orders(
        book, CUT_OFF, 30, **options | {"known": np.array([True, False, True, True])}
    )
    assert np.isnan([unknown.churned[1], unknown.value_eur[1]]).all()
    assert shrunk_gap_days(np.zeros(2), np.zeros(2)).tolist() == [0.0, 0.0]


def test_the_ledger_counts_purchases_and_adds_up_what_is_given_back() -> None:
    cheap = ledger(("a", 1, 0.5), ("b", 1, 0.0)).spend_between(CUT_OFF - timedelta(days=5), CUT_OFF)
    assert cheap[0].tolist() == [1.0, 1.0, 0.0, 0.0]
    book = ledger(("b", 5, 10.0), ("a", 3, 20.0), ("a", 3, -5.0), ("a", 8, 7.0), ("a", -2, 1.0))
    count, spend = book.spend_between(CUT_OFF - timedelta(days=5), CUT_OFF)
    assert (count.tolist(), spend.tolist()) == ([1.0, 0.0, 0.0, 0.0], [15.0, 0.0, 0.0, 0.0])
    assert book.first == CUT_OFF - timedelta(days=8)
    count, first, last = book.until(CUT_OFF).span()
    assert count.tolist() == [3.0, 1.0, 0.0, 0.0]
    day = 86_400_000_000
    assert (last[0] - first[0], last[1] - first[1]) == (5 * day, 0.0)
    assert np.isnan(first[2:]).all()
    some = book.restricted(np.array([1, 3]))
    assert (some.accounts, some.row.tolist(), some.amount_eur.tolist()) == (2, [0], [10.0])


def test_days_of_orders_and_what_buy_till_you_die_needs_of_them() -> None:
    book = ledger(
        ("a", 50, 9.0), ("a", 40, 20.0), ("a", 39.5, 10.0), ("a", 10, -40.0), ("a", 4, 30.0), ("b", 7, -3.0),
        ("b", 2, -1.0),
    ).by_day(CUT_OFF)  # fmt: skip
    assert book.rows.tolist() == [0, 1]
    # exactly a day before the cut-off is still its last day
    assert book.age_day.tolist() == [49.0, 39.0, 9.0, 3.0, 6.0, 1.0]
    assert book.spend_eur.tolist() == [9.0, 30.0, -40.0, 30.0, -3.0, -1.0]
    assert (book.counts.tolist(), book.last_lines.tolist()) == ([4, 2], [3, 5])
    assert book.largest(book.spend_eur).tolist() == [30.0, -1.0]
    found = book.order_history()
    assert found.repeats.tolist() == [2.0, 0.0]
    assert found.last_day.tolist() == [46.0, 0.0]
    assert found.age_day.tolist() == [49.0, 6.0]
    assert found.repeat_value.tolist() == [(29.0 - 9.0) / 2, 0.0]
    assert found.gap_share[0] == pytest.approx(10 / 46)
    assert np.isnan(found.gap_share[1])


def test_columns_of_orders_by_hand() -> None:
    """One ordered 200, 100 and 20 days ago, the other one 10 days ago; the horizon is 90 days."""
    book = ledger(("a", 200.5, 10.0), ("a", 100.5, 30.0), ("a", 20.5, 50.0), ("b", 10.5, 8.0)).by_day(CUT_OFF)
    found = order_columns(book, 90)
    own = (180 + 2 * 90) / 4  # two gaps of the population's 90 days beside two own ones
    expected = {
        "orders.days_since_last_order": (20.0, 10.0),
        "orders.days_since_first_order": (200.0, 10.0),
        "orders.order_days": (3.0, 1.0),
        "orders.spend_eur": (90.0, 8.0),
        "orders.spend_per_order_day_eur": (30.0, 8.0),
        "orders.largest_order_day_eur": (50.0, 8.0),
        "orders.last_order_day_eur": (50.0, 8.0),
        "orders.longest_gap_days": (100.0, None),
        "orders.own_gap_days": (own, 90.0),
        "orders.gap_irregularity": (np.std([100.0, 80.0]) / own, None),
        "orders.silence_in_own_gaps": (20 / own, 10 / 90),
        "orders.orders_by_own_gap": (90 / own, 1.0),
        "orders.spend_by_own_gap_eur": (90 / own * 30, 8.0),
        "orders.spend_last_period_eur": (50.0, 8.0),
        "orders.spend_trend": (np.log(51 / 31), np.log(9.0)),
        "orders.spend_30d_eur": (50.0, 8.0), "orders.order_days_30d": (1.0, 1.0),
        "orders.spend_90d_eur": (50.0, 8.0), "orders.order_days_90d": (1.0, 1.0),
    }  # fmt: skip
    # 180 days are as good as all: nine tenths of 200
    assert found.columns == list(expected)
    for name, values in expected.items():
        for seen, wanted in zip(found[name].to_list()[:2], values, strict=True):
            assert seen == (None if wanted is None else pytest.approx(wanted)), name
        assert found[name].to_list()[2:] == [None, None]
    assert "orders.spend_trend" not in order_columns(book, 134).columns
    # of one gap nobody can say whether it is irregular
    once = order_columns(ledger(("a", 30.5, 1.0), ("a", 10.5, 1.0)).by_day(CUT_OFF), 90)
    assert once["orders.gap_irregularity"][0] is None
    assert once["orders.longest_gap_days"][0] == 20.0


@pytest.mark.parametrize(("customers", "repeaters"), [(19, 12), (20, 9), (20, 10)])
def test_a_rhythm_takes_twenty_customers_and_ten_who_came_again(customers: int, repeaters: int) -> None:
    """Without one the columns are empty, and the snapshot says why."""
    orders = [
        (f"c{k}", 100.0 - k - day, 5.0 + k)
        for k in range(customers)
        for day in ((0, 20) if k < repeaters else (0,))
    ]
    frame = pl.DataFrame(
        [(name, CUT_OFF - timedelta(days=day), amount) for name, day, amount in orders],
        schema={name: ORDER_COLUMNS[name] for name in ("account_id", "ordered_at", "amount_eur")},
        orient="row",
    )  # fmt: skip
    accounts = pl.DataFrame({"account_id": [f"c{k}" for k in range(customers)]})
    inputs = PlanInputs(accounts, AccountSchema(), CUT_OFF, orders=frame)
    book = Ledger.of(frame, accounts["account_id"])
    found = snapshot(inputs, book, CUT_OFF, 30, np.random.default_rng(0))
    enough = (customers, repeaters) == (20, 10)
    assert (found.notes == ()) is enough
    assert found.features["orders.expected_orders"].is_null().all() is not enough


def test_a_scaled_column_agrees_with_the_total_and_missing_counts_as_its_mean() -> None:
    design = Design(np.array([[2.0], [4.0], [np.nan]], np.float32), np.empty((3, 0), np.int16), ())
    found = Scaled.fitted(design, np.array([10.0, 10.0, 7.0]), 0)
    assert (found.factor, found.missing) == (3.0, 3.0)
    assert found.predict(design).tolist() == [6.0, 12.0, 9.0]
    nothing = Design(np.array([[0.0], [np.nan]], np.float32), np.empty((2, 0), np.int16), ())
    assert Scaled.fitted(nothing, np.array([1.0, 1.0]), 0).factor == 0.0
