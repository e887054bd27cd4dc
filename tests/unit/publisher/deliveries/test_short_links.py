from services.publisher.deliveries.short_links import delivery_id, fact_id, short_link


def test_ids_are_derived_and_differ_in_every_part() -> None:
    parts = [
        ("s", "tg", "az", 1),
        ("t", "tg", "az", 1),
        ("s", "x", "az", 1),
        ("s", "tg", "en", 1),
        ("s", "tg", "az", 2),
    ]

    assert len({delivery_id(*each) for each in parts}) == len(parts)
    assert delivery_id("s", "tg", "az", 1) == delivery_id("s", "tg", "az", 1)


def test_a_code_is_fifty_bits_of_the_digest_in_lower_case_base32() -> None:
    assert short_link("https://c.example", "example") == "https://c.example/r/kdmfryeyl3"


def test_each_fact_of_a_delivery_has_an_id_of_its_own() -> None:
    assert len({fact_id("d", 1, "state"), fact_id("d", 2, "state"), fact_id("d", 2, "views")}) == 3
