"""Twenty-seven neutral items, in ten languages and four scripts, written for this demonstration."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Item:
    """A submission as a volunteer would write it. `photos` says how many pictures are drawn for it."""

    language: str
    country: str
    title: str
    body: str
    hashtags: tuple[str, ...]
    photos: int = 1
    video: bool = False


ITEMS: Final = (
    Item(
        "az",
        "AZ",
        "Şəhər muzeyində xalça sərgisi açıldı",
        "Sərgidə əlli xalça göstərilir.\n\nGiriş hamı üçün pulsuzdur.",
        ("mədəniyyət", "xalça"),
        2,
    ),
    Item(
        "az",
        "TR",
        "Könüllülər parkda ağac əkdilər",
        "Yüz iyirmi nəfər iki yüz ağac əkdi. Növbəti görüş yazdadır.",
        ("könüllü",),
    ),
    Item(
        "az",
        "GE",
        "Muğam axşamı: gənclər səhnədə",
        "Üç ölkədən on iki gənc ifaçı çıxış etdi.",
        ("mədəniyyət", "musiqi"),
        0,
        video=True,
    ),
    Item(
        "az",
        "DE",
        "Nənəmin mətbəxindən üç resept",
        "Plov, dolma və şəkərbura: ölçüləri və sirləri ilə.",
        ("irs", "mətbəx"),
        3,
    ),
    Item("az", "RU", "Ana dili dərsləri hər şənbə", "Dərslər onlayn keçirilir və pulsuzdur.", ("təhsil",), 0),
    Item(
        "tr",
        "TR",
        "Mahalle kütüphanesi yeniden açıldı",
        "Gönüllüler bir ayda dört bin kitabı düzenledi.",
        ("kültür", "kitap"),
        2,
    ),
    Item(
        "tr", "TR", "Eski köprünün taşları konuşuyor", "Restorasyon ekibi çalışmalarını anlattı.", ("miras",)
    ),
    Item(
        "tr",
        "DE",
        "Ihlamur altında ortak sofra",
        "Kırk komşu kendi ülkesinin yemeğini getirdi.",
        ("komşuluk",),
        2,
    ),
    Item(
        "tr", "NL", "Çocuklar için masal saati", "Her pazar saat on birde, üç dilde.", ("çocuk", "kültür"), 0
    ),
    Item(
        "en",
        "GB",
        "A choir for everyone who cannot sing",
        "We meet on Tuesdays in the town hall. Nobody is asked to audition.",
        ("community", "music"),
    ),
    Item(
        "en",
        "CA",
        "How we mapped the old tram stops",
        "Sixty volunteers, one winter, and a very long list of photographs.",
        ("heritage",),
        2,
    ),
    Item(
        "en",
        "US",
        "Everyone has the right to take part in cultural life",
        "A short walk through what that sentence means in our street.",
        ("humanrights",),
        0,
    ),
    Item(
        "en",
        "AU",
        "Repair café: 212 things saved in a year",
        "Lamps, radios, zips, and one accordion.",
        ("community",),
    ),
    Item(
        "ru",
        "RU",
        "Открылась выставка старых открыток",
        "Сто двадцать открыток из семейных альбомов.",
        ("культура",),
        2,
    ),
    Item(
        "ru",
        "UA",
        "Как мы восстановили школьный сад",
        "Двадцать человек, три выходных, сорок яблонь.",
        ("сообщество",),
    ),
    Item(
        "ru",
        "IL",
        "Вечер поэзии на четырёх языках",
        "Стихи звучали в оригинале и в переводе.",
        ("культура", "поэзия"),
        0,
    ),
    Item(
        "ru",
        "DE",
        "Право на образование: разговор в библиотеке",
        "Приходите с вопросами, будет чай.",
        ("праваЧеловека",),
    ),
    Item(
        "de",
        "DE",
        "Nachbarn erzählen: Wege nach Hamburg",
        "Sieben Geschichten, aufgeschrieben an sieben Abenden.",
        ("Erbe", "Nachbarschaft"),
        2,
    ),
    Item(
        "de",
        "AT",
        "Die Würde des Menschen als Wandbild",
        "Jugendliche malten vier Wochen lang an einer Mauer.",
        ("Menschenrechte",),
    ),
    Item(
        "fr",
        "FR",
        "La fête des voisins, dixième édition",
        "Cent trente personnes, douze langues, une seule grande table.",
        ("communauté",),
    ),
    Item(
        "fr",
        "BE",
        "Un atelier de calligraphie ouvert à tous",
        "Le matériel est fourni et l'entrée est libre.",
        ("culture",),
        0,
    ),
    Item(
        "ro",
        "MD",
        "Clubul de șah din cartier caută jucători",
        "Ne vedem sâmbăta la ora zece, în sala mare.",
        ("comunitate",),
    ),
    Item(
        "es",
        "ES",
        "Una biblioteca en la plaza del mercado",
        "Los libros se prestan sin carné y vuelven casi siempre.",
        ("cultura",),
        2,
    ),
    Item("ka", "GE", "ქართული მრავალხმიანობის საღამო", "სამი გუნდი იმღერებს ძველ სიმღერებს.", ("კულტურა",)),
    Item("ka", "GE", "ძველი თბილისის აივნები", "ფოტოები მოხალისეებმა გადაიღეს.", ("მემკვიდრეობა",), 2),
    Item("ar", "AE", "معرض للخط العربي في المكتبة العامة", "يستمر المعرض أسبوعين والدخول مجاني.", ("ثقافة",)),
    Item("ar", "MA", "لكل شخص الحق في التعليم", "حلقة قراءة أسبوعية مفتوحة للجميع.", ("حقوق_الإنسان",), 0),
)
"""Exactly one carries a video."""

ALTERNATIVE_TEXTS: Final = {
    "az": "Rəngli naxış, şəkil {}",
    "tr": "Renkli desen, resim {}",
    "en": "A coloured pattern, picture {}",
    "ru": "Цветной узор, рисунок {}",
    "de": "Ein buntes Muster, Bild {}",
    "fr": "Un motif coloré, image {}",
    "ro": "Un model colorat, imaginea {}",
    "es": "Un patrón de colores, imagen {}",
    "ka": "ფერადი ნახატი, სურათი {}",
    "ar": "نقش ملون، صورة {}",
}
