"""The parts: schema and codes, additive models, labels, ledger, kept models, champion and challenger."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.prediction import PredictParams, predict
from dealwright.plan.prediction.additive import AdditiveModel
from dealwright.plan.prediction.archive import packed, unpacked
from dealwright.plan.prediction.calibration import Calibration
from dealwright.plan.prediction.candidates import Rules, candidate_set
from dealwright.plan.prediction.design import FeatureSchema
from dealwright.plan.prediction.labels import labels_from_orders
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.model_store import OutdatedModelError
from dealwright.plan.prediction.reasons import Explainer
from dealwright.plan.prediction.validation import Labelled, predict_out_of_fold, shuffled_folds
from dealwright.runs.model_store import FolderModelStore
from dealwright.schemas import TIMESTAMP, AccountSchema, PlanInputs
from dealwright.stats.metrics import auc

AS_OF = datetime(2026, 7, 1)


def features(n=800, seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "curved": rng.uniform(-3, 3, n),
            "skewed": rng.lognormal(3.0, 1.5, n),
            "gaps": pl.Series(rng.normal(size=n)).set(pl.Series(rng.random(n) < 0.3), None),
            "colour": rng.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2]),
        }
    )


def labels_for(frame, seed=1):
    rng = np.random.default_rng(seed)
    score = frame["curved"].to_numpy() ** 2 - 3 + 1.5 * (frame["colour"] == "blue").to_numpy()
    score += 2.0 * frame["gaps"].is_null().to_numpy()
    return (rng.random(frame.height) < 1 / (1 + np.exp(-score))).astype(float)


@given(st.integers(0, 10_000), st.sampled_from(["logistic", "tweedie", "squared", "gamma"]))
@settings(max_examples=12, deadline=None)
def test_contributions_add_up_to_the_score(seed, loss):
    frame = features(300, seed)
    schema = FeatureSchema.learned_from(frame)
    design, _ = schema.encode(frame)
    target = (
        labels_for(frame, seed) if loss == "logistic" else np.random.default_rng(seed).gamma(1.0, 9.0, 300)
    )
    if loss == "tweedie":
        target[::3] = 0.0
    model = AdditiveModel.fitted(design, target, loss=loss, penalty=10.0)
    strange = features(50, seed + 1).with_columns(pl.lit("violet").alias("colour"), pl.col("skewed") * 1e6)
    for rows in (design, schema.encode(strange)[0]):
        total = model.intercept + model.contributions(rows).sum(axis=1)
        assert model.score(rows) == pytest.approx(total)
        assert np.isfinite(model.predict(rows)).all()
    if loss != "squared":
        assert (model.predict(design) > 0).all()


def test_additive_models_bend_and_use_what_is_missing():
    frame = features(4_000)
    schema = FeatureSchema.learned_from(frame)
    design, _ = schema.encode(frame)
    model = AdditiveModel.fitted(design, labels_for(frame), loss="logistic", penalty=10.0)
    straight = AdditiveModel.fitted(design, labels_for(frame), loss="logistic", penalty=10.0, knots=2)
    fresh = features(4_000, seed=7)
    unseen, label = schema.encode(fresh)[0], labels_for(fresh, seed=8)
    assert auc(label, model.predict(unseen)) > auc(label, straight.predict(unseen)) + 0.15
    known, unknown = model.contributions(unseen)[:, 2], fresh["gaps"].is_null().to_numpy()
    assert known[unknown].mean() - known[~unknown].mean() == pytest.approx(2.0, abs=0.4)


def test_a_schema_is_checked_when_it_is_used():
    frame = features()
    schema = FeatureSchema.learned_from(frame)
    with pytest.raises(InputError, match="column 'skewed' is missing"):
        schema.encode(frame.drop("skewed"))
    with pytest.raises(InputError, match="column 'curved' holds String"):
        schema.encode(frame.with_columns(pl.col("curved").cast(pl.String)))
    again = FeatureSchema.learned_from(frame.select(reversed(frame.columns)))
    assert again.fingerprint != schema.fingerprint == FeatureSchema.learned_from(frame).fingerprint
    infinite, notes = schema.encode(frame.with_columns(pl.lit(1e39).alias("curved")))
    assert np.isnan(infinite.numeric[:, 0]).all()
    assert "800 infinite values treated as missing" in notes[0]


def test_rare_categories_are_known_and_not_reported():
    frame = pl.DataFrame({"city": ["big"] * 50 + ["town"] * 40 + ["hamlet"] * 2, "x": np.arange(92.0)})
    schema = FeatureSchema.learned_from(frame)
    assert schema.levels["city"] == ("big", "town")
    design, notes = schema.encode(frame)
    assert notes == []
    assert design.codes[-1, 0] == 2
    _, notes = schema.encode(pl.DataFrame({"city": ["moon", None, "big"], "x": [1.0, 2.0, 3.0]}))
    assert notes == [
        "column 'city': 1 rows hold a category the model has never seen ('moon'); treated as 'other'"
    ]


def ledger_of(rows):
    orders = pl.DataFrame(
        rows,
        schema={"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64},
        orient="row",
    )
    return Ledger.of(orders, pl.Series(["slow", "fast", "new", "back"]))


def test_silence_is_judged_by_the_own_rhythm():
    cut_off = datetime(2026, 1, 1)
    rows = [("slow", cut_off - timedelta(days=d), 10.0) for d in (1, 301, 601, 901)]
    rows += [("fast", cut_off - timedelta(days=d), 10.0) for d in range(1, 200, 10)]
    rows += [("back", cut_off - timedelta(days=90), 5.0), ("back", cut_off + timedelta(days=20), 7.0)]
    rows += [("back", cut_off + timedelta(days=99), 7.0), ("stranger", cut_off, 1.0)]
    ledger, known = ledger_of(rows), np.array([True, True, False, True])
    own, plain = (
        labels_from_orders(ledger, cut_off, 60, known, definition=definition, rhythm_factor=1.0)
        for definition in ("rhythm", "silence")
    )
    assert own.churned[[0, 1, 3]].tolist() == [0.0, 1.0, 0.0]
    assert plain.churned[[0, 1, 3]].tolist() == [1.0, 1.0, 0.0]
    assert np.isnan(own.churned[2])
    assert own.value_eur[3] == 7.0  # the order after the horizon is not in it


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.integers(-5, 50)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_day_book_holds_every_euro_once(orders):
    names = ["slow", "fast", "new", "back"]
    ledger = ledger_of([(names[a], AS_OF - timedelta(days=d, hours=3), float(e)) for a, d, e in orders])
    cut_off = AS_OF - timedelta(days=100)
    book = ledger.by_day(cut_off)
    past = [(a, d, e) for a, d, e in orders if d >= 100]
    assert book.spend_eur.sum() == pytest.approx(sum(e for _, _, e in past))
    assert len(book.age_day) == len({(a, d) for a, d, _ in past})
    assert dict(zip(book.rows.tolist(), book.counts.tolist(), strict=True)) == {
        a: len({d for b, d, _ in past if b == a}) for a in {a for a, _, _ in past}
    }
    part = ledger.restricted(np.array([1, 3]))
    assert part.accounts == 2
    assert part.amount_eur.sum() == pytest.approx(sum(e for a, _, e in orders if a in (1, 3)))


@pytest.mark.parametrize("name", ["spline_logit", "boosting", "blend"])
@pytest.mark.parametrize(("folds", "nested_rows"), [(3, 300), (4, 0), (5, 0)])
def test_out_of_fold_predictions_ignore_the_row_itself(name, folds, nested_rows):
    frame = features(300)
    schema = FeatureSchema.learned_from(frame)
    line = candidate_set(schema, "probability", (), {}, ahead=False)
    rows = Labelled(schema.encode(frame)[0], labels_for(frame))
    fold = shuffled_folds(300, np.random.default_rng(0), folds)
    flipped = rows.target.copy()
    flipped[7] = 1 - flipped[7]
    before, after = (
        predict_out_of_fold(
            line, name, data, fold, most_rows=10_000, rng=np.random.default_rng(2), nested_rows=nested_rows
        )
        for data in (rows, Labelled(rows.design, flipped))
    )
    assert before.calibrated[7] == after.calibrated[7]
    assert before.raw[7] == after.raw[7]
    for k in range(folds):  # every other fold learns from it, or is calibrated by it
        other = (fold == k) & (np.arange(300) != 7)
        if k != fold[7]:
            assert (before.calibrated[other] != after.calibrated[other]).any()


def test_rules_shrink_small_cells_and_know_missing_values():
    frame = pl.DataFrame({"recency": [*np.arange(99.0), None]})
    design, _ = FeatureSchema.learned_from(frame).encode(frame)
    target = np.append((np.arange(99) > 79).astype(float), 1.0)
    rules = Rules.fitted(design, target, (0,))
    predicted = rules.predict(design)
    assert predicted[90] > 0.5 > target.mean() > predicted[10]
    assert predicted[99] == pytest.approx((1.0 + 20 * target.mean()) / 21)


def test_reasons_name_the_column_that_matters():
    frame = features(3_000)
    schema = FeatureSchema.learned_from(frame)
    design, _ = schema.encode(frame)
    p = 1 / (1 + np.exp(-(frame["curved"].to_numpy() ** 2 - 3)))
    explainer = Explainer.fitted(schema, design, p, "probability", np.random.default_rng(0))
    assert explainer.fidelity > 0.98
    first = explainer.reasons(design, 2).list.first()
    assert first.drop_nulls().str.starts_with("curved ").all()
    assert (
        float(first[int(np.argmax(p))].split("×")[1])
        > 5
        > 0.5
        > float(first[int(np.argmin(p))].split("×")[1])
    )
    assert (
        Explainer.fitted(schema, design, np.full(3_000, 0.3), "probability", np.random.default_rng(0)) is None
    )


def labelled_accounts(n=500, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    accounts = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(n)],
            "x": x,
            "churned": pl.Series(rng.random(n) < 1 / (1 + np.exp(-2 * x / noise))).set(
                pl.Series(np.arange(n) >= n - 50), None
            ),
        }
    )
    return PlanInputs(accounts, AccountSchema(numeric=("x",), has_churn_label=True), AS_OF)


def run(inputs, store, seed=1):
    return predict(
        inputs.accounts, PredictParams(reasons=0),
        orders=inputs.orders, touches=inputs.touches, history=inputs.history,
        schema=inputs.schema, as_of=inputs.as_of, rng=np.random.default_rng(seed), store=store,
    )  # fmt: skip


def test_a_champion_is_only_replaced_by_a_challenger_that_beats_it(tmp_path):
    store = FolderModelStore(tmp_path)
    good, bad = labelled_accounts(noise=0.8), labelled_accounts(noise=3.0, seed=4)
    first = run(good, store)
    champion = store.champion("churn").version
    assert first.card["churn"]["in_use"]["why"] == "first model"
    assert run(good, store).card["churn"]["in_use"]["why"] == "the champion, learned again"
    worse = run(bad, store)
    assert worse.card["churn"]["in_use"]["promoted"] is False
    assert "skill over the base rate" in worse.card["churn"]["in_use"]["why"]
    assert store.champion("churn").version == champion
    kept = store.champion("churn").model.predict(bad.accounts.select("x"))[0][-50:]
    assert worse.frame["churn_probability"].to_numpy()[-50:] == pytest.approx(kept)  # rows without a label
    better = run(labelled_accounts(noise=0.3, seed=5), store)
    assert better.card["churn"]["in_use"]["promoted"] is True
    renamed = replace(
        good,
        accounts=good.accounts.rename({"x": "y"}),
        schema=AccountSchema(numeric=("y",), has_churn_label=True),
    )
    other = run(renamed, store)
    assert "needs column 'x', which is not there any more" in other.card["churn"]["in_use"]["why"]


def test_a_kept_model_comes_back_and_nothing_else_does(monkeypatch, tmp_path):
    store = FolderModelStore(tmp_path)
    inputs = labelled_accounts(200)
    run(inputs, store)
    model = store.champion("churn").model
    content = packed(model)
    again = unpacked(content)
    assert (again.predict(inputs.accounts)[0] == model.predict(inputs.accounts)[0]).all()
    assert packed(again) == content
    with pytest.raises(InputError, match="damaged"):
        unpacked(content[:-1] + b"x")
    with pytest.raises(InputError, match="no Dealwright predictor"):
        unpacked(pickle.dumps(model))
    with pytest.raises(OutdatedModelError, match="another version of Dealwright"):
        unpacked(content.replace(b"predictor 3", b"predictor 2"))
    monkeypatch.setattr("dealwright.plan.prediction.archive.version", lambda _name: "0.1")
    with pytest.raises(OutdatedModelError, match=r"was written with numpy .* here is 0\.1"):
        store.champion("churn")
    with pytest.raises(InputError, match="save it first"):
        store.promote("churn", "0" * 16)


def test_after_an_upgrade_the_champion_is_replaced_and_the_reader_told(monkeypatch, tmp_path):
    store = FolderModelStore(tmp_path)
    inputs = labelled_accounts(200)
    first = run(inputs, store)
    assert first.summary()["churn_model_note"] is None
    kept = (tmp_path / "churn" / "champion").read_text()
    monkeypatch.setattr("dealwright.plan.prediction.archive.version", lambda _name: "99.0")
    upgraded = run(inputs, store)
    used = upgraded.card["churn"]["in_use"]
    assert used["promoted"]
    assert "written with numpy" in upgraded.summary()["churn_model_note"]
    assert upgraded.frame["churn_probability"].equals(first.frame["churn_probability"])
    assert store.champion("churn").version == used["version"] != kept
    assert run(inputs, store).summary()["churn_model_note"] is None
    (tmp_path / "churn" / f"{used['version']}.model").write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"holds no Dealwright predictor.* delete .*champion and run again"):
        run(inputs, store)


def test_a_crafted_file_runs_nothing(tmp_path):
    import hashlib
    import json

    from dealwright.plan.prediction import archive

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    payload = pickle.dumps(Evil())
    header = {
        "libraries": {name: archive.version(name) for name in archive._LIBRARIES},
        "schema": "",
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    with pytest.raises(InputError, match="which no predictor needs"):
        unpacked(archive._MAGIC + json.dumps(header).encode() + b"\n" + payload)
    assert not (tmp_path / "pwned").exists()


def test_calibration_ahead_has_the_level_of_the_latest_rows_and_never_more_spread():
    rng = np.random.default_rng(8)
    score = rng.normal(size=4_000)
    label = (rng.random(4_000) < 1 / (1 + np.exp(-score))).astype(float)
    bold = 1 / (1 + np.exp(-(2.0 * score + 1.0)))  # twice too far apart, and too high
    tamed = Calibration.ahead(Calibration(slope=0.5), label, bold)
    assert (tamed.slope, tamed.shift) == (0.5, pytest.approx(-0.5, abs=0.1))
    assert tamed.apply(bold).mean() == pytest.approx(label.mean(), abs=0.01)
    assert Calibration.ahead(Calibration(slope=1.6), label, bold).slope == 1.0
