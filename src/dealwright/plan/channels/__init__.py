"""Stage *channel*: accounts allocated to channels within capacities, with a proof of how good that is."""

from dealwright.plan.channels.params import ChannelLimit, ChannelParams
from dealwright.plan.channels.stage import Channels, allocate_channels

__all__ = [
    "ChannelLimit",
    "ChannelParams",
    "Channels",
    "allocate_channels",
]
