"""Action catalogues: the default one is sound, and every mistake in one is told with its file and key."""

from __future__ import annotations

import pytest

from dealwright.errors import InputError
from dealwright.plan.actions.catalogue import DAYS, Catalogue
from dealwright.plan.actions.catalogue_file import (
    default_catalogue,
    default_catalogue_text,
    parse_catalogue,
    read_catalogue,
)
from dealwright.schemas import ACTIONS, CHANNELS
from dealwright.toml import convert, read_toml, to_toml

SMALL = """
[channels.ecom_self]
cost_eur = 0.5
[actions.offer]
channels = ["ecom_self"]
lever = 0.1
prior_response = 0.2
prior_uplift = 0.1
"""


def test_the_default_catalogue_knows_every_action_and_channel():
    catalogue = default_catalogue()
    assert {action.name for action in catalogue.actions} == set(ACTIONS) - {"nothing"}
    assert [channel.name for channel in catalogue.channels] == list(CHANNELS)
    assert (catalogue.exploration.share, catalogue.source) == (0.05, "the default catalogue")


def test_a_small_catalogue_gets_sensible_defaults():
    catalogue = parse_catalogue(SMALL, "small.toml")
    action, channel = catalogue.options[0]
    assert (action.label, action.value.text, action.cooldown_days) == ("Offer", "predicted_value_eur", 0)
    assert channel.consent is True
    assert channel.contact
    assert catalogue.budget.max_contacts is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("lever = 0.1", "levr = 0.1"), "actions.offer.levr: unknown key 'levr': did you mean 'lever'"),
        (("lever = 0.1", ""), "actions.offer.lever: is missing; write a number of at least 0"),
        (("lever = 0.1", "lever = 0.1\nlabl = 'x'"), "did you mean 'label'"),
        (('["ecom_self"]', '["ecom_slf"]'), "unknown channel 'ecom_slf': did you mean 'ecom_self'"),
        (("[channels.ecom_self]", "[channels.fax]"), "channels.fax: unknown channel 'fax'"),
        (
            ("cost_eur = 0.5", "cost_eur = -1"),
            "channels.ecom_self.cost_eur = -1: write a number of at least 0",
        ),
        (("cost_eur = 0.5", "cost_eur = '1'"), "channels.ecom_self.cost_eur = '1': write a number"),
        (("cost_eur = 0.5", "cost_eur = true"), "channels.ecom_self.cost_eur = True: write a number"),
        (("cost_eur = 0.5", "cost_eur = nan"), "channels.ecom_self.cost_eur = nan: write a number"),
        (("cost_eur = 0.5", "cost_eur = inf"), "cost_eur = inf: write a finite number of at least 0"),
        (
            ("cost_eur = 0.5", "cost_eur = 1\nquiet_hours = ['25:00-07:00']"),
            "channels.ecom_self.quiet_hours[0] = '25:00-07:00': write hours such as '20:00-09:00'",
        ),
        (("cost_eur = 0.5", "cost_eur = 1\nquiet_hours = ['07:00-07:00']"), "'07:00-07:00' has no length"),
        (("cost_eur = 0.5", "cost_eur = 1\nquiet_hours = ['00:00-24:00']"), "'00:00-24:00' has no length"),
        (
            ("cost_eur = 0.5", f"cost_eur = 1\nquiet_days = {list(DAYS)}"),
            "channels.ecom_self: quiet_days: every day is quiet",
        ),
        (
            ("cost_eur = 0.5", "cost_eur = 1\nquiet_days = ['sunday']"),
            "channels.ecom_self.quiet_days[0]: unknown value 'sunday': did you mean 'sun'",
        ),
        (("cost_eur = 0.5", "cost_eur = 1\ncaps = [{ contacts = 1 }]"), "caps[0].days: is missing"),
        (("cost_eur = 0.5", "cost_eur = 1\ncaps = [2]"), "caps[0] = 2: write a table with contacts, days"),
        (("prior_uplift = 0.1", "prior_uplift = 0.5"), "is more than prior_response"),
        (
            ("prior_response = 0.2", "prior_response = 2"),
            "actions.offer.prior_response = 2: write a number between 0 and 1",
        ),
        (
            ("lever = 0.1", "lever = 0.1\nrequires = ['churn >']"),
            "actions.offer.requires[0]: 'churn >' is not a valid",
        ),
        (
            ("lever = 0.1", "lever = 0.1\nsuppress = { rejections = 2 }"),
            "actions.offer.suppress: give both rejections and days, each at least 1",
        ),
        (("lever = 0.1", "lever = 0.1\ncooldown_days = 1.5"), "cooldown_days = 1.5: write a whole number"),
        (("lever = 0.1", "lever = 0.1\nlabel = ''"), "label = '': write a text in quotes that is not empty"),
        (("lever = 0.1", "lever = 0.1\nname = 'x'"), "actions.offer.name: remove it"),
        (
            ('["ecom_self"]', '["ecom_self", "ecom_self"]'),
            "actions.offer: channels: a channel is named twice",
        ),
        (('["ecom_self"]', "[]"), "actions.offer.channels = []: write a list of at least one channel"),
        (("[actions.offer]", "[actions.nothing]"), "a name is lower-case letters"),
        (("[channels.ecom_self]", "time_zone = 'Mars/Base'\n[channels.ecom_self]"), "is not a time zone"),
        (("[channels.ecom_self]", "[chanels.ecom_self]"), "unknown key 'chanels': did you mean 'channels'"),
        (("[actions.offer]", "[budget]\nmax_contact = 3\n[actions.offer]"), "did you mean 'max_contacts'"),
        (("lever = 0.1", "lever = "), "not valid TOML"),
        ((SMALL, "time_zone = 'UTC'"), "channels, actions: at least one of each is needed"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(change, says):
    text = SMALL.replace(*change)
    assert text != SMALL
    with pytest.raises(InputError, match=r"^small\.toml: ") as caught:
        parse_catalogue(text, "small.toml")
    assert says in str(caught.value)


def test_a_file_is_read_and_a_missing_one_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(default_catalogue_text(), encoding="utf-8")
    assert read_catalogue(path).options == default_catalogue().options
    with pytest.raises(InputError, match=r"absent\.toml: no such file"):
        read_catalogue(tmp_path / "absent.toml")


def test_a_catalogue_is_written_the_way_it_is_read():
    text = to_toml(default_catalogue())
    assert convert(read_toml(text, "x"), Catalogue, "x") == default_catalogue()
    assert read_toml(text, "x")["channels"]["outbound_cc"]["quiet_hours"] == ["20:00-09:00", "14:00-16:00"]
    assert read_toml(text, "x")["actions"]["visit"]["suppress"] == {"rejections": 2, "days": 120}
