"""What the machine notices, and what it makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.moderation.screening import text_scan as texts
from services.moderation.screening.rules import ClassRule, Policy, assess
from shared.events import AiUse, Consent
from tests.support.builders.submissions import POLICY, photo, submission

UDHR = {
    "az": "Bütün insanlar ləyaqət və hüquqlarına görə azad və bərabər doğulurlar.",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "en": "All human beings are born free and equal in dignity and rights. Adopted 10.12.1948, A/RES/217.",
    "ka": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "zh": "人人生而自由,在尊严和权利上一律平等。",
    "ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。",
}


@pytest.mark.parametrize(("language", "body"), UDHR.items())
def test_plain_material_in_any_script_raises_nothing(language: str, body: str) -> None:
    finding = assess(submission(language=language, title=body[:20], body=body, media=(photo(),)), POLICY)

    assert finding.signals == ()
    assert (finding.risk, finding.reviewers, finding.classes) == ("low", 1, ())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("Yazın: nergiz.a@example.org", "email"),
        ("Zəng edin: +994 50 123 45 67", "phone"),
        ("Ara: (0532) 123 45 67", "phone"),
        ("Konto DE89 3704 0044 0532 0130 00", "iban"),
        ("Kart 4111 1111 1111 1111", "card"),
    ],
)
def test_personal_data_needs_two_people(body: str, code: str) -> None:
    finding = assess(submission(body=body), POLICY)

    assert [code] == [signal.code for signal in finding.signals]
    assert (finding.risk, finding.reviewers, finding.classes) == ("high", 2, ("personal_data",))
    signal = finding.signals[0]
    assert body[signal.start : signal.end] in signal.evidence


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("اتصل: ٠٥٠ ١٢٣ ٤٥ ٦٧", "phone"),
        ("تماس: ۰۵۰۱۲۳۴۵۶۷", "phone"),
        ("फ़ोन +९९४ ५० १२३ ४५ ६७", "phone"),
        ("Zəng: \uff0b９９４\u3000５０\u3000１２３\u3000４５\u3000６７", "phone"),
        ("Zəng: 0\u200b50 1\u200d23 4\u00ad5\u2060 67", "phone"),
        ("Zəng: 050\u2013123\u221245\u201167", "phone"),
        ("Zəng: 50 123 45 67", "phone"),
        ("Zəng: 501234567", "phone"),
        ("Call (202) 555-0143", "phone"),
        ("Ring 41 23 45 67", "phone"),
        ("کارت ۴۱۱۱ ۱۱۱۱ ۱۱۱۱ ۱۱۱۱", "card"),
        ("Yazın: nergiz\uff20example.org", "email"),
    ],
)
def test_personal_data_is_seen_in_the_digits_of_any_script_and_as_people_write_it_at_home(
    body: str, code: str
) -> None:
    finding = assess(submission(body=body), POLICY)

    [signal] = [each for each in finding.signals if each.code == code]
    assert finding.classes == ("personal_data",)
    assert body[signal.start : signal.end] in signal.evidence


@pytest.mark.parametrize(
    "body",
    [
        *("15.09.2020", "2020-09-15", "2019\u20132020", "2019 2020", "12 345 678 nəfər", "100 000 000 manat"),
        *("1 234 567", "3000 28000 67", "1918 1920 1991", "50 123", "A/RES/217 10.12.1948"),
    ],
)
def test_other_numbers_are_no_telephone_numbers(body: str) -> None:
    assert [each.code for each in assess(submission(body=body), POLICY).signals] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"body": "Nizami küçəsi 12, gözləyirik"}, "address"),
        ({"body": "Жду на ул. Мира, д. 5", "language": "ru"}, "address"),
        ({"body": "a http://a.example b http://b.example c www.c.example"}, "link"),
        ({"body": "Bu mətn azərbaycanca deyil", "language": "ru"}, "language_mismatch"),
        (
            {"body": "Обычный текст на русском языке", "language": "az", "title": "Привет"},
            "language_mismatch",
        ),
        ({"body": "HAMINIZ BURAYA GƏLİN VƏ BAXIN!"}, "capitals"),
        ({"body": "раypal hesabı"}, "mixed_scripts"),
        ({"body": "tərs \u202eyazı"}, "direction_override"),
        ({"body": " \n"}, "no_text"),
        ({"media": (photo(alt=" "),)}, "alt_missing"),
        ({"ai": AiUse(made=True)}, "ai_made"),
        ({"ai": AiUse(edited=True)}, "ai_edited"),
        ({"consent": Consent(terms_version="1", people_shown="none", rights="licensed")}, "rights_licensed"),
        (
            {"consent": Consent(terms_version="1", people_shown="adults_agreed", rights="own")},
            "people_declared",
        ),
    ],
)
def test_a_hint_is_given_and_one_person_still_suffices(changes: dict[str, object], code: str) -> None:
    finding = assess(submission(**changes), POLICY)

    assert code in {signal.code for signal in finding.signals}
    assert finding.reviewers == 1


def test_declared_minors_need_two_people() -> None:
    consent = Consent(terms_version="1", people_shown="minors_guardian_agreed", rights="own")

    finding = assess(submission(consent=consent), POLICY)

    assert (finding.classes, finding.reviewers, finding.risk) == (("minors",), 2, "high")


def words(language: str, *given: str) -> Policy:
    return Policy({"hateful": ClassRule("hateful", 2, words={language: given})}, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("language", "word", "text"),
    [
        ("az", "qızıl balıq", "Burada QIZIL\u200b  BALIQ var"),
        ("tr", "ilginç", "ÇOK İLGİNÇ!"),
        ("ru", "слово", "Это СЛОВО."),
        ("de", "straße", "AUF DER STRASSE"),
        ("ka", "სიტყვა", "ეს სიტყვა"),
        ("zh", "坏词", "这是坏词吗"),
        ("ar", "كلمة", "هذه كلمة هنا"),
        ("en", "ｗｏｒｄ", "a word."),
    ],
)
def test_a_listed_word_is_found_however_it_is_written(language: str, word: str, text: str) -> None:
    finding = assess(submission(title="x", body=text, language=language), words(language, word))

    assert finding.classes == ("hateful",)
    assert any(signal.code == "word" and signal.field == "body" for signal in finding.signals)


@pytest.mark.parametrize(
    ("language", "word", "text"),
    [("en", "cat", "concatenate"), ("az", "il", "ILIQ su"), ("en", " ", "a b")],
)
def test_a_listed_word_inside_another_is_none(language: str, word: str, text: str) -> None:
    assert assess(submission(title="x", body=text, language=language), words(language, word)).classes == ()


def test_pictures_in_some_classes_are_blurred() -> None:
    assert POLICY.blurs(("personal_data", "graphic"))
    assert not POLICY.blurs(("personal_data",))


@given(st.text(max_size=300), st.text(max_size=40), st.sampled_from(["az", "tr", "ru", "zh", "und"]))
def test_no_text_confuses_the_screening(body: str, title: str, language: str) -> None:
    finding = assess(submission(title=title, body=body, language=language, media=(photo(),)), POLICY)

    for signal in finding.signals:
        if signal.start is not None and signal.end is not None:
            assert 0 <= signal.start < signal.end <= max(len(body), len(title))


@given(st.text(min_size=1, max_size=60))
def test_every_text_contains_itself(text: str) -> None:
    folded = texts.Folded(text, "az")
    word = text.strip()

    if word and word[0].isalnum() and word[-1].isalnum() and texts.Folded(word, "az").folded.strip() == word:
        assert any(folded.occurrences(word))


def test_the_same_thing_is_shown_only_a_few_times() -> None:
    finding = assess(submission(body=" ".join(f"a{n}@example.org" for n in range(50))), POLICY)

    assert len(finding.signals) == 5
