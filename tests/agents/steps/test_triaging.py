"""`agents.steps.triaging`."""

import re
import time
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.steps.triaging import KeywordIndex, triage
from monitors.hangul import SLANG
from monitors.keywords import WatchedKeyword
from monitors.spellings import Found, is_searchable, spellings_of
from streams.types import CaseId, KeywordId, MediaItem, Post, PostKey, Priority


def watched(*texts: str) -> list[WatchedKeyword]:
    return [
        WatchedKeyword(case=CaseId(f"c{i}"), keyword=KeywordId(f"k{i}"), text=text)
        for i, text in enumerate(texts)
    ]


def similarity(keyword: str, text: str) -> float:
    hits = KeywordIndex(watched(keyword)).find([text])
    return hits[0].similarity if hits else 0.0


def post(text: str = "", *alts: str) -> Post:
    return Post(
        key=PostKey("0" * 32),
        source="replay",
        id="1",
        url="https://a.example/1",
        text=text,
        media=tuple(MediaItem(url="https://a.example/m", alt_text=alt) for alt in alts),
        observed_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


EXACT = [
    ("해치공주", "해치공주"),
    ("해치공주", "오늘의 해치공주영상ㅋㅋ"),
    ("해치공주", "해 치 공 주"),
    ("해치공주", "해치 공주"),
    ("해치공주", "해.치/공_주"),
    ("해치공주", "해🐯치🐯공🐯주"),
    ("해치공주", "해\u200b치\u2060공\ufeff주"),
    ("해치공주", "해ㅋㅋ치ㅋㅋ공주"),
    ("해치공주", "ㅎㅐㅊㅣㄱㅗㅇㅈㅜ 보기"),
    ("해치공주", "ㅎㅐ치ㄱㅗㅇ주"),
    ("해치공주", unicodedata.normalize("NFD", "해치공주")),
    ("해치공주", "해̸치̷공̵주̶"),
    ("해치공주", "해해치치공공공주주"),
    ("해치공주", "해애치이공주우"),
    ("해치공주", "#해치공주 #tag"),
    ("김민지", "기ㅁ민지 영상"),
    ("김민지", "김 민 지"),
    ("김민지", "김민지가 나온"),
    ("지수", "김민지 지수"),
    ("멍멍이", "댕댕이 산책"),
    ("댕댕이", "멍멍이 산책"),
    ("비빔밥", "네넴밥"),
    ("귀요미", "커요미"),
    ("유출", "유우우출"),
    ("나나", "나나나 콘서트"),
    ("이모", "수지이모"),
    ("blue whale tutorial", "Blue Whale Tutorial"),
    ("blue whale tutorial", "bluewhaletutorials"),
    ("blue whale tutorial", "BLUE-WHALE_TUTORIAL"),
    ("blue whale tutorial", "b l u e w h a l e t u t o r i a l"),
    ("blue whale tutorial", "b1ue wh4l3 7utor1al"),
    ("blue whale tutorial", "blue wh@le tutor!al"),
    ("blue whale tutorial", "bㅋㅋlㅋㅋue whaㅠㅠlㅠㅠe tutoriaㅎㅎl"),
    ("blue whale tutorial", "blüe whåle tutørial"),
    ("blue whale tutorial", "bluе whаle tutоriаl"),
    ("blue whale tutorial", "ｂｌｕｅ　ｗｈａｌｅ　ｔｕｔｏｒｉａｌ"),
    ("blue whale tutorial", "🅱🅛🅤🅔 whale tutorial"),
    ("blue whale tutorial", "bluuue whaaale tutorial"),
    ("blue whale tutorial", "blue\nwhale\u202etutorial"),
    ("jane", "@jane_"),
    ("jane", "j@ne"),
    ("jane", "Jane01 clip"),
    ("jane", "j.a.n.e"),
    ("jane", "jjjaneee"),
    ("book", "b o o k"),
    ("book", "boook"),
    ("푸른고래", "푸른고래"),
    ("青い鯨", "この青い鯨は"),
    ("привет кит", "ПРИВЕТ, КИТ!"),
    ("010-1234-5678", "연락 01012345678"),
    ("ㅎㅊㄱㅈ", "ㅎ ㅊㄱㅈㅋㅋ"),
]

NEAR = [
    ("해치공주", "헤치공주"),
    ("해치공주", "해치공쥬"),
    ("해치공주", "해칙공주"),
    ("김민지", "긤민지"),
    ("김민지", "김밍지"),
    ("blue whale tutorial", "blue whale tutrial"),
    ("blue whale tutorial", "blue whale tvtorialz"),
    ("blue whale tutorial", "blue while tutorial"),
]

LATIN = [
    ("해치공주", "haechi gongju"),
    ("해치공주", "HaeChi_GongJu"),
    ("해치공주", "goclrhdwn"),
    ("김민지", "kim min-ji"),
    ("김민지", "Minji Kim"),
]

INNOCENT = [
    ("해치", "피해 치료 안내"),
    ("해치", "피해, 치료"),
    ("해치", "해물 치즈"),
    ("해치공주", "해치지 않는 공원"),
    ("해치공주", "공주 해치"),
    ("해치공주", "해치공원"),
    ("해치공주", "헤치고 주운"),
    ("해치공주", "해치 보러 공주에 갔다"),
    ("김민지", "튀김 민지방"),
    ("김민지", "김미나"),
    ("김민지", "김포 민속촌 지도"),
    ("비비", "네네 알겠습니다"),
    ("나나", "나는 나"),
    ("유출", "유수 출신"),
    ("이도", "I do"),
    ("우유", "우"),
    ("jane", "ninja near me"),
    ("jane", "janet"),
    ("jane", "janeeet"),
    ("jane", "a trojan ensemble"),
    ("book", "bok choy"),
    ("whale", "how hale and hearty"),
    ("blue whale tutorial", "white whale"),
    ("blue whale tutorial", "a tutorial on blue paint"),
    ("blue whale tutorial", "whale tutorial, blue"),
    ("김", "김민지"),
    ("a", "a"),
    ("", "anything"),
    ("🐯", "🐯"),
]


@pytest.mark.parametrize(("keyword", "text"), EXACT)
def test_a_disguised_keyword_is_an_exact_hit(keyword: str, text: str) -> None:
    assert similarity(keyword, text) == 1.0


@pytest.mark.parametrize(("keyword", "text"), NEAR)
def test_a_misspelt_keyword_is_a_near_hit(keyword: str, text: str) -> None:
    assert 0.82 <= similarity(keyword, text) < 1.0


@pytest.mark.parametrize(("keyword", "text"), LATIN)
def test_a_latin_spelling_is_a_hit_of_lower_similarity(keyword: str, text: str) -> None:
    assert similarity(keyword, text) == 0.9


@pytest.mark.parametrize(
    "text", ["ㅎㅊㄱㅈ", "봐라 ㅎ ㅊ ㄱ ㅈ", "ㅎㅊㄱㅈㅋㅋㅋ", "ㅎㅊㄱㅈ ㅠㅠ"]
)
def test_initials_alone_are_weak_evidence(text: str) -> None:
    assert similarity("해치공주", text) == 0.5


@pytest.mark.parametrize("text", ["ㅎㅊㄱ", "ㄱㅎㅊㄱㅈ", "ㅎㅊㄱㅈㅅ"])
def test_other_initials_are_no_hit(text: str) -> None:
    assert similarity("해치공주", text) == 0.0


@pytest.mark.parametrize(("keyword", "text"), INNOCENT)
def test_innocent_words_are_no_hit(keyword: str, text: str) -> None:
    assert similarity(keyword, text) == 0.0


@pytest.mark.parametrize(
    "keyword",
    ["해치공주", "김민지", "유출", "멍멍이", "Blue Whale", "jane", "ㅎㅊㄱㅈ", "나나", "해치TV"],
)
def test_every_variant_that_is_printed_is_found(keyword: str) -> None:
    printed = spellings_of(keyword)
    assert printed
    assert [one for one in printed if not similarity(keyword, one.text)] == []


WHOLE_WORDS = st.sampled_from([*SLANG["words"], *SLANG["numbers"], "김민지", "해치", "whale"])
ANY_KEYWORD = (
    st.lists(WHOLE_WORDS, min_size=1, max_size=3).map(" ".join)
    | st.text("김이박민지수현서영해치공나 ", min_size=2, max_size=8)
    | st.text("abeilost1 ", min_size=2, max_size=12)
    | st.text(min_size=2, max_size=6)
)


@settings(max_examples=60)
@given(ANY_KEYWORD, st.sampled_from(["", "오늘 ", "see "]), st.sampled_from(["", " 봐", " now"]))
def test_every_listed_spelling_is_found_as_it_is_told(
    keyword: str, before: str, after: str
) -> None:
    index = KeywordIndex(watched(keyword))
    least = {Found.READ: 0.99, Found.NEAR: 0.82, Found.OWN: 0.5}
    for spelling in spellings_of(keyword):
        hits = index.find([f"{before}{spelling.text}{after}"])
        assert hits, spelling
        assert hits[0].similarity >= least[spelling.found], spelling


def test_a_spelling_that_an_officer_added_is_a_hit_of_its_keyword() -> None:
    (keyword,) = watched("해치공주")
    index = KeywordIndex([replace(keyword, added=("해치언니", "해치ㄴㅇ", "ㅎㅊ"))])
    for text in ("해치 언니 영상", "봐라 해치ㄴㅇㅋㅋ", "ㅎㅊ 봐"):
        assert [hit.similarity for hit in index.find([text])] == [1.0]
    assert not index.find(["헤치언니 해치ㄴㅇㅅ ㄱㅎㅊ"])


def test_a_spelling_that_an_officer_switched_off_is_no_hit() -> None:
    (keyword,) = watched("김민지 영상")
    off = ("minjiyeongsangkim", "김민지 ㅇㅅ", "ㄱㅁㅈㅇㅅ")
    before, after = KeywordIndex([keyword]), KeywordIndex([replace(keyword, off=off)])
    for text in off:
        assert before.find([text])
        assert not after.find([text])
    assert after.find(["rlaalswldudtkd"])


def test_keywords_of_one_text_keep_their_own_spellings() -> None:
    one, other = watched("해치공주", "해치공주")
    index = KeywordIndex([replace(one, added=("해치언니",)), replace(other, off=("goclrhdwn",))])
    assert [hit.keyword for hit in index.find(["해치언니"])] == ["k0"]
    assert [hit.keyword for hit in index.find(["goclrhdwn"])] == ["k0"]
    assert [hit.keyword for hit in index.find(["해치공주"])] == ["k0", "k1"]


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("김민지 영상", "김민지 ㅇㅅ", 0.9),
        ("김민지 영상", "김민지ㅇㅅㅋㅋ 공유", 0.9),
        ("김민지 영상", "김민지 ㅇㅅㅇ", 0.0),
        ("김민지 영상", "김민지 ㅋㅋ", 0.0),
        ("딥페이크", "뒵페 봄", 0.9),
        ("김민지", "김ㅁㅈ 뭐냐", 0.5),
        ("김민지", "튀김ㅁㅈ", 0.0),
    ],
)
def test_slang_and_half_initials_are_hits_as_words(
    keyword: str, text: str, expected: float
) -> None:
    assert similarity(keyword, text) == expected


INSERTED = st.sampled_from(["", " ", ".", "\u200b", "\u2060", "🐯", " - ", "\u0301", "\n"])
LONG = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=4, max_size=8)
LATIN_WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=8, max_size=20)


@given(st.data(), LONG | LATIN_WORDS, st.text(max_size=50), st.text(max_size=50))
def test_a_long_keyword_in_any_text_is_found_whatever_is_put_between_its_letters(
    data: st.DataObject, keyword: str, before: str, after: str
) -> None:
    disguised = "".join(letter + data.draw(INSERTED) for letter in keyword)
    assert similarity(keyword, f"{before} {disguised} {after}") == 1.0
    assert similarity(keyword, before + disguised + after) > 0


@given(
    st.data(), st.text("해치공주김민지", min_size=2, max_size=3), st.text("가나다 .", max_size=20)
)
def test_a_short_keyword_that_stands_alone_is_found_whatever_is_put_between_its_letters(
    data: st.DataObject, keyword: str, around: str
) -> None:
    disguised = "".join(letter + data.draw(INSERTED) for letter in keyword)
    assert similarity(keyword, f"{around} {disguised} {around}") == 1.0


def runs(letters: str) -> list[tuple[str, int]]:
    return [(match[1], len(match[0])) for match in re.finditer(r"(.)\1*", letters)]


def stands_in(keyword: str, text: str) -> bool:
    """Look at every stretch of the text: the slow, obvious way."""
    wanted = runs(keyword)
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            found = runs(text[start:end])
            if [one for one, _ in found] == [one for one, _ in wanted] and all(
                count >= least for (_, count), (_, least) in zip(found, wanted, strict=True)
            ):
                return True
    return False


def common(one: str, other: str) -> int:
    """Give the length of the longest common subsequence: the textbook's table."""
    row = [0] * (len(other) + 1)
    for a in one:
        row = [0] + [
            max(row[j] + 1, row[j + 1]) if a == b else row[j + 1] for j, b in enumerate(other)
        ]
        for j in range(1, len(row)):
            row[j] = max(row[j], row[j - 1])
    return row[-1]


def nearest(keyword: str, text: str) -> float:
    """Hold the keyword against every stretch of its own length: the slow, obvious way."""
    wanted, jamo = padded(keyword, text)
    size = len(wanted)
    return max(common(wanted, jamo[i : i + size]) / size for i in range(len(jamo) - size + 1))


def padded(keyword: str, text: str) -> tuple[str, str]:
    wanted = unicodedata.normalize("NFD", keyword)
    padding = "\0" * 2 * len(wanted)
    return wanted, padding + unicodedata.normalize("NFD", text) + padding


def nearest_around_a_part(keyword: str, text: str, threshold: float) -> float:
    """Likewise, only where one part stands whole, of one more than there may be errors."""
    wanted, jamo = padded(keyword, text)
    size, best = len(wanted), 0.0
    errors = int(size * (1 - threshold))
    cuts = [round(i * size / (errors + 1)) for i in range(errors + 2)]
    for first, last in pairwise(cuts):
        for place in (match.start() for match in re.finditer(f"(?={wanted[first:last]})", jamo)):
            for start in range(place - first - errors, place - first + errors + 1):
                end, stop = place + last - first, start + size
                if not 0 <= start <= place <= end <= stop:
                    continue
                before = common(wanted[:first], jamo[start:place])
                after = common(wanted[last:], jamo[end:stop])
                best = max(best, (before + last - first + after) / size)
    return best


@settings(max_examples=300)
@given(
    st.text("가각나다라", min_size=4, max_size=6) | st.text("wxyz", min_size=8, max_size=10),
    st.text("가각나다라wxyz", max_size=16),
)
def test_hits_are_those_of_the_slow_way(keyword: str, text: str) -> None:
    found = similarity(keyword, text)
    threshold = 0.86 if keyword.isascii() else 0.82
    if stands_in(keyword, text):
        assert found == 1.0
        return
    assert found == 0.0 or threshold <= found <= min(nearest(keyword, text), 0.99) + 1e-9
    around = nearest_around_a_part(keyword, text, threshold)
    if around >= threshold:
        assert found >= min(around, 0.99) - 1e-9


def test_each_keyword_has_one_hit_and_that_is_its_best() -> None:
    index = KeywordIndex(watched("해치공주", "blue whale", "해치공주", "absent words"))
    hits = index.find(["ㅎㅊㄱㅈ", "헤치공주", "해치공주 haechigongju", "blue vhale, blue whale"])
    assert [(hit.case, hit.similarity) for hit in hits] == [("c0", 1.0), ("c1", 1.0), ("c2", 1.0)]


def test_an_index_of_nothing_finds_nothing() -> None:
    assert KeywordIndex([]).find(["해치공주"]) == ()
    assert KeywordIndex(watched("해치공주")).find([]) == ()
    assert len(KeywordIndex(watched("해치", "공주"))) == 2


def test_an_index_is_made_anew_only_for_other_keywords() -> None:
    index = KeywordIndex(watched("해치", "공주"))
    assert index.of(watched("해치", "공주")) is index
    assert [hit.keyword for hit in index.of(watched("고래")).find(["고래"])] == ["k0"]
    assert index.of([]).find(["해치"]) == ()


def test_a_hit_makes_a_post_urgent() -> None:
    triaged = triage(post("오늘 해치공주"), KeywordIndex(watched("해치공주")))
    assert triaged.priority is Priority.URGENT
    [hit] = triaged.hits
    assert (hit.case, hit.keyword, hit.similarity) == ("c0", "k0", 1.0)


def test_what_a_search_found_is_urgent_without_a_hit() -> None:
    found = replace(post("good morning"), urgent=True)
    triaged = triage(found, KeywordIndex(watched("해치공주")))
    assert (triaged.priority, triaged.hits) == (Priority.URGENT, ())


def test_descriptions_of_media_are_searched() -> None:
    triaged = triage(post("", "a photo", "해치공주"), KeywordIndex(watched("해치공주")))
    assert triaged.priority is Priority.URGENT


def test_words_do_not_run_from_one_text_into_the_next() -> None:
    assert triage(post("해치", "공주"), KeywordIndex(watched("해치공주"))).hits == ()


def test_a_post_without_a_hit_waits_in_bulk() -> None:
    triaged = triage(post("good morning", "a cat"), KeywordIndex(watched("해치공주")))
    assert (triaged.priority, triaged.hits) == (Priority.BULK, ())


def test_initials_alone_are_kept_but_do_not_hurry() -> None:
    triaged = triage(post("ㅎㅊㄱㅈ"), KeywordIndex(watched("해치공주")))
    assert triaged.priority is Priority.BULK
    assert [hit.similarity for hit in triaged.hits] == [0.5]


def test_a_keyword_is_found_at_the_end_of_the_longest_text() -> None:
    text = "가나다 " * 24_998 + "해치공주"
    assert len(text) <= 100_000
    assert triage(post(text), KeywordIndex(watched("해치공주"))).priority is Priority.URGENT


def test_more_seams_than_any_honest_text_holds_count_as_a_hit() -> None:
    assert similarity("해치", "피해 치료 " * 20) == 0.0
    assert similarity("해치", "피해 치료 " * 2_000) == 1.0


KEYWORDS = [
    *(f"해치공주{i}호" for i in range(50)),
    *(f"blue whale {i} tutorial" for i in range(50)),
]


@pytest.mark.parametrize(
    "unit",
    [
        "해치공주 ",
        "피해 치공주 ",
        "해애에",
        "공",
        "bluewhale tutoria ",
        "\u0301\u0323",
        "\u202e\u200fa",
        "ㄱㅣ",
        "ﷺ",
        "a@!",
        "\ud800",
        "\0",
    ],
)
def test_hostile_text_is_searched_in_bounded_time(unit: str) -> None:
    index = KeywordIndex(watched(*KEYWORDS))
    text = (unit * 100_000)[:100_000]
    started = time.perf_counter()
    index.find([text])
    assert time.perf_counter() - started < 5  # 0.5 s on an idle machine: docs/text.md


@given(st.text())
def test_no_keyword_and_no_text_raises(text: str) -> None:
    KeywordIndex(watched(text, "해치공주")).find([text, "해치공주"])


@given(st.text(min_size=2))
@example("김ㅁㅈ")
@example("0ᄀᄀ")
def test_a_keyword_is_found_in_itself_wherever_it_has_variants(text: str) -> None:
    assert bool(similarity(text, text)) == is_searchable(text)
