"""What a campaign file need not spell out: reason codes and sensitive classes, in four languages."""

from collections.abc import Mapping

REASONS: Mapping[str, Mapping[str, str]] = {
    "off_topic": {
        "en": "Not about the campaign's subject",
        "az": "Kampaniyanın mövzusuna aid deyil",
        "tr": "Kampanyanın konusuyla ilgili değil",
        "ru": "Не по теме кампании",
    },
    "duplicate": {
        "en": "We already have this material",
        "az": "Bu material artıq var",
        "tr": "Bu gönderi zaten var",
        "ru": "Такой материал уже есть",
    },
    "unverified_claim": {
        "en": "States as fact what we could not verify",
        "az": "Yoxlaya bilmədiyimiz iddia var",
        "tr": "Doğrulayamadığımız bir iddia içeriyor",
        "ru": "Содержит утверждение, которое мы не смогли проверить",
    },
    "hateful": {
        "en": "Demeans or attacks people",
        "az": "İnsanları alçaldır və ya təhqir edir",
        "tr": "İnsanları aşağılıyor veya hedef alıyor",
        "ru": "Унижает людей или нападает на них",
    },
    "graphic": {
        "en": "Shows violence or injury too openly",
        "az": "Zorakılığı və ya yaranı həddən artıq açıq göstərir",
        "tr": "Şiddeti veya yarayı fazla açık gösteriyor",
        "ru": "Слишком откровенно показывает насилие или раны",
    },
    "personal_data": {
        "en": "Gives away somebody's personal data",
        "az": "Kiminsə şəxsi məlumatını açıqlayır",
        "tr": "Birinin kişisel verilerini açığa çıkarıyor",
        "ru": "Раскрывает чьи-то личные данные",
    },
    "minor": {
        "en": "Shows a child without a guardian's agreement",
        "az": "Uşaq valideyn razılığı olmadan göstərilib",
        "tr": "Bir çocuğu velisinin onayı olmadan gösteriyor",
        "ru": "Показан ребёнок без согласия родителей",
    },
    "rights": {
        "en": "The rights to the material are not clear",
        "az": "Materialın hüquqları aydın deyil",
        "tr": "Gönderinin hakları açık değil",
        "ru": "Права на материал неясны",
    },
    "quality": {
        "en": "Picture, sound or text is too poor to publish",
        "az": "Şəkil, səs və ya mətn yayım üçün zəifdir",
        "tr": "Görüntü, ses veya metin yayın için yetersiz",
        "ru": "Качество изображения, звука или текста недостаточно",
    },
    "other": {
        "en": "Another reason, explained in the note",
        "az": "Başqa səbəb, qeyddə izah olunub",
        "tr": "Notta açıklanan başka bir gerekçe",
        "ru": "Другая причина, объяснена в примечании",
    },
}

CLASSES: Mapping[str, Mapping[str, str]] = {
    "hateful": {
        "en": "Hateful or dehumanising",
        "az": "Nifrət və ya alçaltma",
        "tr": "Nefret veya aşağılama",
        "ru": "Ненависть или унижение",
    },
    "graphic": {
        "en": "Graphic violence",
        "az": "Açıq zorakılıq",
        "tr": "Açık şiddet",
        "ru": "Сцены насилия",
    },
    "minors": {"en": "Minors", "az": "Uşaqlar", "tr": "Çocuklar", "ru": "Дети"},
    "victims": {
        "en": "Prisoners and identifiable victims",
        "az": "Əsirlər və tanına bilən qurbanlar",
        "tr": "Tutsaklar ve tanınabilen mağdurlar",
        "ru": "Пленные и узнаваемые пострадавшие",
    },
    "personal_data": {
        "en": "Personal data",
        "az": "Şəxsi məlumat",
        "tr": "Kişisel veri",
        "ru": "Личные данные",
    },
    "unverified_claim": {
        "en": "Unverified claim of fact",
        "az": "Yoxlanılmamış iddia",
        "tr": "Doğrulanmamış iddia",
        "ru": "Непроверенное утверждение",
    },
    "rights": {
        "en": "Rights in the material",
        "az": "Materialın hüquqları",
        "tr": "Gönderinin hakları",
        "ru": "Права на материал",
    },
}

BLURRED = frozenset({"graphic", "minors", "victims"})
"""Classes whose pictures stay blurred until a moderator chooses to look."""
