"""Action catalogues: the default one is sound, and every mistake in one is told with its file and key."""

from __future__ import annotations

from datetime import time

import pytest

from dealwright.errors import InputError
from dealwright.plan.actions.catalogue import DAYS, Catalogue, ContactCap
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
    assert (channel.prior_factor, channel.caps, channel.quiet_hours, channel.quiet_days) == (1.0, (), (), ())
    assert (action.cost_eur, action.requires, action.optional) == (0.0, (), False)
    assert (action.suppress.rejections, action.suppress.days) == (0, 0)
    assert (catalogue.budget.max_contacts, catalogue.budget.max_cost_eur) == (None, None)
    assert (catalogue.fatigue.min_gap_days, catalogue.fatigue.caps) == (0, ())
    assert (catalogue.exploration.share, catalogue.exploration.max_cost_eur) == (0.05, None)
    assert (catalogue.control.share, catalogue.control.campaign) == (0.05, "default")
    assert (catalogue.time_zone, catalogue.source) == ("UTC", "small.toml")


@pytest.mark.parametrize(
    ("said", "consent"),
    [("contact = false", False), ("contact = false\nconsent = true", True), ("consent = false", False)],
)
def test_consent_is_needed_where_the_company_makes_contact_unless_said_otherwise(said, consent):
    text = SMALL.replace("cost_eur = 0.5", f"cost_eur = 0.5\n{said}")
    assert parse_catalogue(text, "small.toml").channel("ecom_self").consent is consent


def test_quiet_hours_and_caps_are_read():
    more = "cost_eur = 0.5\nquiet_hours = ['20:15-09:45', '13:00-24:00']\ncaps = [{ contacts = 0, days = 1 }]"
    channel = parse_catalogue(SMALL.replace("cost_eur = 0.5", more), "small.toml").channel("ecom_self")
    assert channel.quiet_hours == ((time(20, 15), time(9, 45)), (time(13), time(0)))
    assert channel.caps == (ContactCap(contacts=0, days=1),)


def test_the_limits_themselves_are_allowed():
    text = SMALL.replace("prior_response = 0.2", "prior_response = 1").replace("uplift = 0.1", "uplift = 1")
    assert parse_catalogue(text, "small.toml").action("offer").prior_uplift == 1.0
    text = SMALL.replace("prior_response = 0.2", "prior_response = 0").replace("uplift = 0.1", "uplift = -1")
    assert parse_catalogue(text, "small.toml").action("offer").prior_uplift == -1.0


def test_channels_and_actions_are_found_by_name():
    catalogue = default_catalogue()
    assert [catalogue.action(action.name).label for action in catalogue.actions][-1] == "Reorder reminder"
    assert catalogue.channel("field").cost_eur == 45.0
    with pytest.raises(InputError, match="unknown action 'visti': did you mean 'visit'"):
        catalogue.action("visti")
    with pytest.raises(InputError, match="unknown channel 'feld': did you mean 'field'"):
        catalogue.channel("feld")


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
            ("prior_uplift = 0.1", "prior_uplift = -1.5"),
            "prior_uplift = -1.5: write a number between -1 and 1",
        ),
        (("prior_uplift = 0.1", "prior_uplift = 1.5"), "= 1.5: write a number between -1 and 1"),
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
        ((SMALL.partition("[actions")[0], ""), "channels, actions: at least one of each is needed"),
        (("".join(SMALL.partition("[actions")[1:]), ""), "channels, actions: at least one of each is needed"),
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
