"""Words with a dot in them that are no addresses, though their last part is a top-level domain.

Only an address without scheme, `www.` and path is looked up here: `main.py` is a file, and
`https://main.py`, `www.main.py` and `main.py/x` are links. Add to these lists what authors of
ordinary lessons trip over; each entry is also a domain that somebody may own.
"""

# These end a file's name or name a property far more often than they end an address.
FILE_ENDINGS = frozenset(
    "cab cc java mk ml mo mov md pm ps pub py rs sh so tf zip".split()  # noqa: SIM905
)
PROPERTIES = frozenset(
    (  # noqa: SIM905
        "abc arpa author auto bar best black blue book box build call camera case cat center "
        "channel circle click codes compare contact data date day delta direct directory "
        "docs domains dot download email events exchange fail family final fire fit foo free "
        "global gold got graphics green group health help host hosting id inc int java like "
        "limited link live loan locker management map market media meet mini mobile monster "
        "name network new next now one open page parts photo pid pin ping pink pk place play "
        "plus post press prime prod productions properties property protection radio read "
        "red repair report rest rich room run safe save science search secure security seek "
        "select services sex shell show singles space star storage stream style supply "
        "support systems tab target tax test today tools total training watch win windows "
        "work world zero zone"
    ).split()
)
TEXT_ENDINGS = FILE_ENDINGS | PROPERTIES

# What a sentence begins with, where its author forgot the space: "the end.In the next lesson".
SENTENCE_STARTS = frozenset(
    (  # noqa: SIM905
        "Am As At Be By Do Here How In Is It Love Me Mr Ms My No Now Off One So Tips To Us Vs You "
        "Бел Дети Католик Ком Москва Онлайн Рус Сайт Укр"
    ).split()
)

# Objects of program text: `df.at`, `self.store`, `element.style.top`. Only right before the ending,
# and not before the endings of CERTAIN_ENDINGS: `self.evil.store` and `log.ru` stay links.
OBJECTS = frozenset(
    (  # noqa: SIM905
        "action admin alias app args arr array axios axis body canvas car char cls color config "
        "configure console coverage ctx curses cursor db df document dog elem element env "
        "event file form func game head img item javax json kwargs lesson list log "
        "logger logging makefile manifest math matrix model models module navigator node np "
        "obj object operator option os pd person player plt point process queue range rect redux "
        "request requirements res response result root row self series session settings "
        "socket stack state std str string student style super sys system table tensor text "
        "this tk tkinter torch tree turtle user value vector view views widget window"
    ).split()
)
CERTAIN_ENDINGS = frozenset("com net org biz edu gov ru su рф xyz online site".split())  # noqa: SIM905

# Files that are named so, before endings that are those of sites, too: `main.pl`, not `allegro.pl`.
FILES_OF = frozenset({"in", "ly", "pl", "st"})
FILES = frozenset(
    (  # noqa: SIM905
        "build client config configure example file hello index license main makefile manifest "
        "module my program readme requirements run sample script server setup task test"
    ).split()
)
# A name that begins with one of these is a package: `com.example.app`, `org.example`.
PACKAGES = frozenset({"com", "edu", "gov", "net", "org", "ru"})
# Names of methods and properties that end no site anybody knows by its bare name.
MEMBERS = frozenset("as at do id in is it my na no so to".split())  # noqa: SIM905
# Right before a name they say that it is program text.
PROGRAM_WORDS = (  # noqa: SIM905
    "alias await class def from func function import include interface let method namespace new "
    "package return throw using var метод метода методом методу свойство свойства функция функции "
    "функцию класс класса пакет пакета модуль модуля"
).split()

# Names known to readers as words; the bare domains of the same names lead nowhere harmful.
NAMES = frozenset(
    (  # noqa: SIM905
        "x.org openoffice.org freedesktop.org ado.net akka.net asp.net autofac.net json.net ml.net paint.net quartz.net rx.net vb.net "
        "system.net java.net socket.io engine.io java.io system.io std.io "
        "studio.net command.com b.com m.com b.sc d.sc m.sc et.al"
    ).split()
)
