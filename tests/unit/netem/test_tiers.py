"""The region table."""

import pytest

from curserve_netem import LinkError, tiers


def test_each_tier_lies_within_its_range_and_cites_a_source():
    for tier in (*tiers.load().values(), tiers.last_mile()):
        low, high = tier.range_ms
        assert low <= tier.rtt_ms <= high
        assert len(tier.source) > 10


def test_the_tiers_of_the_design_are_there_from_near_to_far():
    names = list(tiers.load())
    assert names == ["intra-region", "same-coast", "cross-coast", "us-europe", "us-asia", "demo-250"]
    rtts = [tier.rtt_ms for tier in tiers.load().values()]
    assert rtts == sorted(rtts)


def test_the_last_mile_comes_on_top():
    plain, with_mile = tiers.tier("us-asia"), tiers.tier("us-asia", with_last_mile=True)
    assert with_mile.rtt_ms == plain.rtt_ms + tiers.last_mile().rtt_ms
    assert with_mile.name == "us-asia + last-mile"


def test_an_unknown_tier_is_refused_with_the_known_ones():
    with pytest.raises(LinkError, match="us-asia"):
        tiers.tier("atlantis")
