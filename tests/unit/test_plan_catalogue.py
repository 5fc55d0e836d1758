"""Action catalogues: the default one is sound, and every mistake in one is told with its file and key."""

from __future__ import annotations

import pytest

from dealwright.errors import InputError
from dealwright.plan.actions.catalogue_file import (
    default_catalogue,
    default_catalogue_text,
    parse_catalogue,
    read_catalogue,
)
from dealwright.schemas import ACTIONS, CHANNELS

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
    assert catalogue.exploration_share == 0.05


def test_a_small_catalogue_gets_sensible_defaults():
    catalogue = parse_catalogue(SMALL, "small.toml")
    action, channel = catalogue.options[0]
    assert (action.label, action.value.text, action.cooldown_days) == ("Offer", "predicted_value_eur", 0)
    assert channel.consent
    assert channel.contact
    assert catalogue.max_contacts is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("lever = 0.1", "levr = 0.1"), "actions.offer.lever: is missing"),
        (("lever = 0.1", "lever = 0.1\nlabl = 'x'"), "did you mean 'label'"),
        (('["ecom_self"]', '["ecom_slf"]'), "unknown channel 'ecom_slf': did you mean 'ecom_self'"),
        (("[channels.ecom_self]", "[channels.fax]"), "channels.fax: unknown channel 'fax'"),
        (("cost_eur = 0.5", "cost_eur = -1"), "channels.ecom_self.cost_eur: expected a number of at least 0"),
        (("cost_eur = 0.5", "cost_eur = '1'"), "channels.ecom_self.cost_eur: expected a number"),
        (("cost_eur = 0.5", "cost_eur = nan"), "channels.ecom_self.cost_eur: expected a number"),
        (("cost_eur = 0.5", "cost_eur = inf"), "expected a finite number"),
        (
            ("cost_eur = 0.5", "cost_eur = 1\nquiet_hours = ['25:00-07:00']"),
            "expected hours such as '20:00-09:00'",
        ),
        (("cost_eur = 0.5", "cost_eur = 1\nquiet_days = ['sunday']"), "did you mean 'sun'"),
        (("cost_eur = 0.5", "cost_eur = 1\ncaps = [{ contacts = 1 }]"), "caps[0].days: is missing"),
        (("cost_eur = 0.5", "cost_eur = 1\ncaps = [2]"), "expected for example { contacts = 2, days = 7 }"),
        (("prior_uplift = 0.1", "prior_uplift = 0.5"), "is more than prior_response"),
        (("prior_response = 0.2", "prior_response = 2"), "between 0 and 1"),
        (
            ("lever = 0.1", "lever = 0.1\nrequires = ['churn >']"),
            "actions.offer.requires[0]: 'churn >' is not a valid",
        ),
        (("lever = 0.1", "lever = 0.1\nsuppress = { rejections = 2 }"), "give both rejections and days"),
        (("[actions.offer]", "[actions.nothing]"), "a name is lower-case letters"),
        (("[channels.ecom_self]", "time_zone = 'Mars/Base'\n[channels.ecom_self]"), "is not a time zone"),
        (("[channels.ecom_self]", "[chanels.ecom_self]"), "channels: at least one is needed"),
        (("[actions.offer]", "[budget]\nmax_contact = 3\n[actions.offer]"), "did you mean 'max_contacts'"),
        (("lever = 0.1", "lever = "), "not valid TOML"),
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
