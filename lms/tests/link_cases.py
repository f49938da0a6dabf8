"""Spellings of links, and text that only looks like one, for the tests of the link rule.

`evil.run`, `evil.py` and the like have endings that are text in a bare word: what makes them links
here is the spelling around them, so that one rule cannot pass for another.
"""

# ruff: noqa: SIM905

# Groups of what only Markdown sees.
IN_MARKDOWN = frozenset({"code", "markdown", "marks"})

REFUSED = {
    "with scheme": [
        *"""
        http://evil.example https://evil.example/path?x=1 (https://evil.example)
        текстhttps://evil.example/x texthttps://evil.example/x 9https://evil.run
        HTTPS://EVIL.EXAMPLE hTTp://Evil.Example https://evil http://localhost
        http://localhost:8000/admin http://127.0.0.1 http://127.0.0.1:8000/ http://2130706433/
        http://0x7f000001/ http://0177.0.0.1/ http://[::1]/ https://[2001:db8::1]:443/x
        """.split(),
        "Смотри https://evil.example/a, там всё",
        '"https://evil.example"',
    ],
    "without scheme": [
        *"""
        //evil.example/x //evil.example //main.py www.evil.example WWW.EVIL.EXAMPLE www.evil
        www2.evil.run www.main.py www.youtube.com.evil.example wwwｗ.evil.com
        """.split(),
        "см. //evil.run",
    ],
    "bare": [
        *"""
        evil.example evil.com EVIL.COM Evil.Com evil.ru evil.net evil.xyz evil.online evil.shop
        evil.io evil.ai evil.me evil.dev evil.info bit.ly t.me t.me/channel vk.com/club1 злой.рф
        злой.РФ злой.москва xn--80ajoghfjyj0a.xn--p1ai sub.domain.evil.com evil.co.uk evil.com.py
        evil.com.pl evil.com. evil.com, evil.com! (evil.com) «evil.com» *evil.com* _evil.com_
        **evil.com** |evil.com| сайт:evil.com evil.com:8080 evil.com?x=1 evil.com#x
        evil.com(клик) Bit.Ly allegro.pl sub.allegro.pl и/или/evil.com self.evil.store logger.evil.info evil.asp.net user.com
        """.split(),
        *"evil.com.там EVIL.COM.Там evil.1.2.com evil.java.io EVIL.EXAMPLE evil.onion".split(),
        *"evil.invalid evil.xn--abc -evil.com evil\\.com".split(),
        "evil.com- это",
        *(
            "import evil.io",
            "функция bit.ly",
            "сайт - t.me",
            "| bit.ly |",
            "x = evil.ai",
            "evil.io = x",
        ),
        *("!t.me", "метод evil.me;", "Telegram(t.me)", "return evil.dev", "класс evil.example"),
        "evil.com.Там всё есть",
        "evil.ru.See you",
    ],
    "with path": [
        *"""
        evil.example/path evil.run/x evil.py/x evil.md/setup evil.py?x=1 evil.py:8080/x ASP.NET/x
        192.168.0.1/admin 1.2.3.4:8080/x evil.test/x
        """.split(),
    ],
    "like youtube": [
        *"""
        evil.example/youtube.com evil.example?youtube.com evil.example#youtube.com
        youtube.com.evil.example youtube.com.evil.example/watch?v=1 notyoutube.com
        not-youtube.com youtube.com-evil.com youtube.co youtube.youtube youtube.org/watch
        m-youtube.com youtu.be.evil.com/x notyoutu.be www.youtu.be/x youtube-nocookie.com/embed/x
        youtube.com@evil.example youtube.com@evil.run https://youtube.com@evil.example
        https://youtube.com:x@evil.example/ https://youtube.com%40evil.example
        https://youtube.com%2f@evil.example https://youtube.com%00.evil.example
        https://www.youtube.com.evil.example/watch https://evil.example/youtube.com
        https://evil.example/https://youtube.com https://evil.example?https://youtube.com
        https://evil.example#@youtube.com https://user@youtube.com/
        https://user:pass@youtube.com/ https://:pass@youtube.com/ https://youtube.com:8443/
        http://youtube.com:8080/watch?v=1 youtube.com:8080/watch user@youtube.com/x
        ftp://youtube.com/x ws://youtube.com/x javascript://youtube.com/%0aalert(1)
        """.split(),
        "https://evil.example\\@youtube.com",
        "https://evil.example\\.youtube.com",
    ],
    "as browsers read": [
        *"""
        https:/evil.run https:////evil.run https:///evil.run https:evil.example
        https://%65vil.example https://%65%76%69%6c.run https://evil%2erun
        https://you%74ube.com.evil.run https://evil%E3%80%82run
        """.split(),
        "https:\\\\evil.example",
        "https:\\evil.run",
        "https:/\\evil.run",
        "https:\\/evil.run",
        "\\\\evil.example\\share",
    ],
    "look alikes": [
        *"""
        https://yоutube.com/watch?v=1 https://youtubе.com https://ｙoutube.com.evil.run
        yоutube.com/watch yоutube.com youtube.cоm/watch youtubе.com youtu.bе/x ｅｖｉｌ．ｃｏｍ evil。com
        https://evil。run evil｡com ｈｔｔｐｓ：／／evil.run https://xn--yutube-wqf.com xn--yutube-wqf.com
        xn--yutube-wqf.com/watch https://youtubé.com youtubé.com éyoutube.com
        """.split(),
    ],
    "invisible": [
        "https://you\u200btube.com.evil.run",
        "ev\u200bil.com",
        "ev\xadil.com",
        "ev\u2060il\ufeff.com",
        "htt\u200bps://evil.run",
        "java\xadscript:alert(1)",
        "https://\u202eevil.run",
        "evil\u200b.\u200bcom",
        "ｅｖｉｌ\u200b．ｃｏｍ",
        "evil.com\u200bpass.js",
        "evil&period;com\u200bpass.js",
        "youtube&period;com/evil.com\u200bpass.js",
        "ht\ntps://evil.run",
        *("htt\np:evil", "htt\nps:evil", "f\ntp:evil", "vb\nscript:x", "da\nta:x", "mail\nto:x"),
        "fi\nle:x",
        "java\tscript:alert(1)",
        "ja\nva\nscript:alert(1)",
    ],
    "markdown": [
        *"""
        [x](https://evil.example) [x](evil.example) [x](//evil) [x](https:evil) [x](HTTPS:evil)
        [x](http:evil) [x](<https://evil.run>) [x](<//evil>) [x](tg:evil) [x](foo:bar) [x](h&#116;tps:evil)
        [x](https&colon;evil) [x](java&#115;cript&colon;alert)
        [x](https://youtube.com(.evil.run/)) [youtube.com](https://evil.run)
        [https://youtube.com](https://evil.run) ![x](//evil/x.png)
        [![x](https://youtube.com/x.png)](//evil) [a](b)[x](//evil) <https://evil.example>
        <evil.example> <mailto:a@evil.example> <someone@evil.com> <foo:bar?x=1>
        <zoommtg:join/1>
        """.split(),
        "[x](\\\\\\\\evil)",
        "[x](/\\evil)",
        "[x](foo\\:⑴)",
        "[x](ws:our.%69nvalid)",
        '[x]( //evil "t")',
        "[x](\n//evil)",
        "[x](https\\://evil)",
        "[x](\\//evil)",
        "[x](/\\\\/evil)",
        "[x](https://youtube.com\\).evil.run/)",
        "[x]: //evil",
        "[x]: https://evil.run",
        "[x]:\n//evil",
        "> [x]: tg:evil",
        "- [x]: <//evil>",
        "[x][1]\n\n[1]: foo:bar",
        "[x](data:x)",
        "[x](<javascript: alert(1)>)",
        "[x](<tg: foo>)",
        "[x](about:blank)",
        "[a\\]]: //evil",
        "[x]: /\n[x]: //evil",
    ],
    "marks": [
        *"""
        ev*il*.com *evil*.**com** ev&shy;il.**com** evil.com**pass**.js evil.[com](#x) [evil](#x).com _evil_.ru
        **evil**.*com* https://youtube.com/_evil.com_ **https:**//evil.run
        ![evil.com](/x.png) `https://evil.run` `curl(https://evil.run)` ``tg://evil``
        """.split(),
        '[x](/x "evil.com")',
        "    https://evil.run",
        "```\nsee https://evil.run\n```",
        "```https://evil.run\n```",
        "# evil.com #",
        "> - evil\n>   evil.com",
        '[x]: /x "evil.com"',
    ],
    "html": [
        '<a href="https://evil.example">x</a>',
        "<a href='https://evil.example'>x</a>",
        "<a href=https://evil.example>x</a>",
        '<a href="//evil">x</a>',
        "<a href='//evil'>x</a>",
        "<a href=//evil>x</a>",
        '<a href = "//evil">x</a>',
        '<A HREF="//EVIL">x</A>',
        '<a href="\\\\evil">x</a>',
        '<a href="/\\evil">x</a>',
        '<a href="/\t/evil">x</a>',
        '<a href=" \n//evil">x</a>',
        '<a href="ht\ntps:evil">x</a>',
        '<a href="https:evil">x</a>',
        '<a href="&#104;ttps://evil">x</a>',
        '<a href="&#x68;ttps&colon;&sol;&sol;evil">x</a>',
        '<a href="java&Tab;script:alert(1)">x</a>',
        '<a href="java&NewLine;script&colon;x">x</a>',
        '<a href="\x01javascript:x">x</a>',
        '<a href="foo:x">x</a>',
        "<a title=\"'\" href='foo:x'>x</a>",
        '<a href="https://youtube.com\'.evil.run/">x</a>',
        '<a/href="//evil">x</a>',
        '<img src="https://evil.example/x.png">',
        "<img src=//evil/x.png>",
        '<img srcset="//evil/x.png 2x">',
        "<form action=\"//evil\"><button formaction='//evil2'>",
        '<svg><a xlink:href="//evil">x</a></svg>',
        '<video poster="//evil/x.png">',
        "<script src=//evil></script>",
        '<iframe src="data:text/html,x"></iframe>',
        '<div style="background:url(//evil.run/x)">',
        '<meta http-equiv="refresh" content="0;url=https://evil">',
    ],
    "entities": [
        *"""
        &#104;&#116;&#116;&#112;&#115;://evil.run evil&#46;com evil&period;com
        &amp;#104;ttps&amp;#58;//evil.run https://evil.com&period;youtube.com
        https://youtube.com&commat;evil.run https://youtube.com&lt;evil.com
        evil&amp;amp;period;com evil.com&#112;ass.js
        """.split(),
        "&lt;a href=&quot;//evil&quot;&gt;",
    ],
    "other schemes": [
        *"""
        ftp://evil.example ftps://evil.example/x FTP://EVIL sftp://evil/x ssh://evil
        file:///etc/passwd file:/etc/passwd ws://evil wss://evil javascript:alert(1)
        JaVaScRiPt:alert(1) javascript:[][(![]+[])] vbscript:msgbox(1) data:text/html,<b>x</b>
        data:text/html;base64,PHM+ data:,x data:;base64,eA== tg://resolve?domain=evil
        tg:resolve?domain=evil TG:resolve mailto:someone@evil.example mailto:x tel:+79990000000
        tel:112 sms:+7999 skype:evil?call magnet:?xt=urn:btih:1 blob:https://youtube.com/1
        view-source:https://youtube.com/ viber://chat?number=1 whatsapp://send?text=x
        intent://evil#Intent;end steam://run/1 itms-apps://evil xhttps://youtube.com/
        about://evil postgres://user:pass@localhost/db vk://profile/1 ws:/youtube.com/x
        """.split(),
    ],
    "mail": [
        *"""
        someone@evil.com ivan.petrov+x@mail.ru a@evil.run a@main.py someone@youtube.com
        git@github.com:x/y.git
        """.split(),
        "Иван <ivan@evil.com>",
        "почта: ivan@почта.рф",
    ],
    "forwarding": [
        *"""
        https://www.youtube.com/redirect?q=https://evil.example
        https://www.youtube.com/redirect?q=evil youtube.com/redirect?q=x
        https://www.youtube.com/REDIRECT/?q=x https://www.youtube.com/%72edirect?q=x
        https://www.youtube.com//redirect?q=x https://www.youtube.com/./redirect?q=x
        https://www.youtube.com/a/../redirect?q=x
        https://www.youtube.com/attribution_link?u=/watch https://www.youtube.com/signin?next=x
        https://www.youtube.com/linkredirect?x=1 https://www.youtube.com/logout?x=1
        https://www.youtube.com/ServiceLogin?continue=x https://www.youtube.com/url?q=x
        https://accounts.youtube.com/x?continue=https%3A%2F%2Fevil
        https://www.youtube.com/x?u=%252F%252Fevil https://www.youtube.com/x?u=//evil
        https://www.youtube.com/x?u=%25252F%25252Fevil
        """.split(),
        "https://www.youtube.com/watch?v=1&u=https:\\\\evil",
    ],
    "next to youtube": [
        *"""
        https://youtube.com/x,https://evil.run https://youtube.com/x|evil.com
        https://youtube.com/*evil.com*
        https://youtube.com/)evil.com youtube.com,evil.com youtube.com/x;evil.com
        https://a.youtube.com.evil.run https://youtube.com..evil.run
        https://.youtube.com.evil.run https://youtube.com;.evil.run https://youtube.com&evil.run
        https://youtube.com=.evil.run https://youtube.com~.evil.run https://evil!.run
        """.split(),
        "https://youtube.com/x evil.com",
        "evil.com https://youtube.com/x",
        "https://youtube.com/x evil.com https://youtube.com/y",
        'https://youtube.com/"evil.com',
        "youtube.com evil.com",
    ],
    "glued": [
        *"""
        join(bit.ly/x) !t.me/x &bit.ly/x org.evil.me/x list.me/x Text.app/x i❤.ws/x ❤.com e❤youtube.com
        xampl¬.org/about .youtube.com/?t.me/x /youtube.com?u.com/x x=youtube.com/?q=evil.com
        xhttps://youtube.com/?evil.com http://evil.com%74.youtube.com/x youtube.com%evil.com
        evil.run/https://youtu.be/x evil.py/https://youtu.be/x evil.рф。youtube.com
        http://youtube.com»@evil.run evil.com._x l/youtube.com/=evil.com @youtube.com/=t.me/x evil.com。j
        https://evil..youtube.com/x :́youtube.com/=u.be/x evil.com👍 evil.com→ t.me👍 evil.com§ evil.com👍x evil.com→main.py a@evil.com👍x youtube.com👍evil.com
        youtube.com。evil.com main.py→evil.com→x evil.com× 3×evil.com evil×.com 6;@x.to //y»@evil.run http:/youtube.com/%6.com
        हिन्दी.com evil.भारतम् evil.com։ _-_evil.com
        a@x.to。У AL。evil.com а1。evil.com https://evil.com&.youtube.com ~~https://youtu.be/x?evil.com
        """.split(),
        "\u202ehttp://youtube.com/?evil.com",
        "\u2060http://youtube.com/?evil.com",
        "= t.me/join",
        "= notyoutu.be",
        "методы класса notyoutu.be",
        "await bit.ly/abc",
        "использовать класс bit.ly/x",
    ],
    "smuggled": [
        *"""
        youtube.com!@evil.run youtube.com:@evil.run evil․com https://youtube.com⁄.evil.run
        https://youtube.com／.evil.run https://youtube.com℀.evil.run
        https://youtube.com%09.evil.run <https://youtube.com@evil> <//evil.run> [[evil.com]]
        [url=https://evil]x[/url] <https://evil.run|youtube> //youtube.com@evil.run
        //youtube.com.evil.run/ //evil.py/x [x](//youtube.com@evil) ev<b></b>il.com
        1.1.1.1/dns-query http://1.1 https://0 http://①②⑦.0.0.1 http://⑯⑨.②⑤④ evil.ＣＯＭ
        ｗｗｗ.evil.run ｗｗｗ．evil．run https://evil｡run https://youtube．com@evil.run evil.рф/путь
        ЗЛОЙ.РФ münchen.de 日本.jp evil.中国 例え.テスト.evil.com youtube.com/redirect?q=evil
        youtu.be/redirect?q=https://evil https://youtube.com/%2e%2e/redirect?q=x
        https://youtube.com/watch/../redirect https://www.youtube.com/redirect/
        youtube.com/attribution_link?u=x wss:evil.com javascript&#58;alert(1)
        java&#x0A;script:alert(1) &#106avascript:x &#0000106avascript:x [x](&#106;avascript:x)
        https://evil.run. «https://evil.run» https://evil.run… http://evil.run:80
        hxxps://evil.com evil.com/ /evil.com x.evil.com: `http://evil.run` http://a
        ｊavascript:alert(1) data:text/html;charset=utf-8,%3Cscript DATA:TEXT/HTML,x
        tg://join callto:+123 xmpp:a@evil.com irc://evil gopher://evil
        chrome://settings ms-word:ofe|u|https://evil
        https://youtube.com:80:80@evil.run evil。рф https://www.youtube.com/watch?v=1#https://evil
        """.split(),
        "https://youtube.com\u2028.evil.com",
        "https://youtube.com\\.evil.com",
        "[x](https://youtube.com\\@evil)ok evil.com",
        "evil.com\u200b",
        "\u200bevil.com",
        "https://youtube.com\u200b.evil.run",
        "https:\u200b//evil.run",
        "https:/\u200b/evil.run",
        "https:\n//evil.run",
        "HtTpS:\\\\/evil",
        "<a href=https:evil.run>",
        "<a href='https://youtube.com' href2=x onclick='location=\"https://evil\"'>",
        "e\u200bvil.com/x",
        "https://youtube.com#@evil.run https://evil.run",
        "me @evil.com",
        '<a href="&#x1;javascript:x">',
        "\nhttp://evil\n",
        "evil.com\\x",
        "http:\\\\\\evil",
        "https://youtube.com\ufffd.evil.run",
    ],
}

ACCEPTED = {
    "code": [
        *"""
        `evil.com` `evil.com/x` `a@evil.com` ``www.evil.run`` `//evil.run` `[x](evil.com)`
        [`evil.com`](#x) **`evil.com`** <a@evil.example> `<a@evil.com>` `git@github.com:x/y.git`
        [x](/\\~evil) `<a` `<!DOCTYPE`
        """.split(),
        "<a href=`//evil.run`>",
        "    evil.com",
        "```\nevil.com\n```",
        "~~~html\n<a href='//evil.run'>x</a>\n~~~",
        "> ```\n> evil.com\n> ```",
        "- a\n\n      evil.com",
        "_Let's do it._",
        "**x**.to(device)",
        "[x]: foo:bar and more",
    ],
    "documentation": [
        *"""
        a@example.com a@mail.example.org a@b.test a@evil.example a@b.invalid a@localhost
        example.com www.example.com/x api.example.net example.org/about 127.0.0.1:8000/admin
        """.split(),
        "Иван <ivan@example.com>",
    ],
    "methods": [
        *"""
        x.to(device) v.at(0) s.top() it.next() is.na(x) !is.na rabbit.eat() a.id=1 F.Cu alias.co
        v.at(i)[0] my_list.in myList.is print(x.to) d.my[0] x.io[0] a::b.io a->b.io $x.io src/x.io
        org.example ru.school.app com.example.io main.pl test.pl README.st .form-input.invalid{
        """.split(),
        "package org.example",
        "import com.evil.io",
        "a.to = b.to",
        "метод x.is",
        "return x.at",
        "x.is == y",
        "Sublime Text.app",
    ],
    "spaces": [
        "закончили.Да, всё",
        "We are done.It works.",
        "the end.My next",
        "see below.So we",
    ],
    "youtube": [
        *"""
        https://www.youtube.com/watch?v=dQw4w9WgXcQ http://www.youtube.com/watch?v=dQw4w9WgXcQ
        HTTPS://WWW.YOUTUBE.COM/watch?v=x https://youtube.com https://youtube.com/
        https://youtube.com. https://youtube.com:443/watch?v=1 http://youtube.com:80/
        https://m.youtube.com/watch?v=x&t=5s#top https://music.youtube.com/playlist?list=PL1
        https://youtu.be/dQw4w9WgXcQ?t=5 youtu.be/dQw4w9WgXcQ youtube.com YouTube.com
        www.youtube.com/@hexlet.io https://www.youtube.com/@freecodecamp.org/videos
        youtube.com/watch?v=x&ab_channel=freeCodeCamp.org
        https://www.youtube.com/watch?v=x&ab_channel=freeCodeCamp.org
        ➡️https://www.youtube.com/watch?v=x&ab_channel=freeCodeCamp.org
        https://www.youtube.com/watch?v=_x_&feature=youtu.be
        https://www.youtube.com/watch?v=x&amp;ab_channel=freeCodeCamp.org
        https://www.youtube.com/watch?v=x&origin=https://www.youtube.com
        https://www.youtube.com/watch?v=x&origin=https://WWW.YouTube.com
        https://www.youtube.com/results?search_query=python+3.13
        https://www.youtube.com/embed/x?start=1 //youtube.com/embed/x <https://youtu.be/x>
        [видео](https://youtu.be/x) [https://youtu.be/x](https://youtu.be/x)
        ![x](https://i.img.youtube.com/vi/x/0.jpg) «https://youtu.be/x» Смотри:https://youtu.be/x
        конец.https://youtu.be/x end.https://youtu.be/x 👉youtube.com/watch?v=x youtube.com👍 ×youtube.com× -_youtube.com_- main.py→x Node.js®
        'https://youtube.com', youtube.com.Начало YouTube.com.Начало *@youtube.com*
        https://ｙｏｕｔｕｂｅ．ｃｏｍ
        """.split(),
        '[видео](https://youtu.be/x "Название"), текст',
        "[видео][1]\n\n[1]: https://youtu.be/x",
        '<a href="https://youtu.be/x">видео</a>',
        "<a href='//www.youtube.com/embed/x'>видео</a>",
        "<iframe src=https://www.youtube.com/embed/x></iframe>",
        '<img srcset="https://img.youtube.com/vi/x/0.jpg 1x">',
        "**https://youtu.be/x**, и дальше",
        "(см. youtube.com).",
        "https://youtube.com&nbsp;— сайт",
        "https://youtu.be/x — вводный урок; https://youtu.be/y — второй.",
        "https:\\\\youtube.com\\watch",
    ],
    "files": [
        *"""
        main.py src/main.py ./src/main.py C://Users/me /etc/nginx/nginx.conf ~/.ssh/config
        tests/test_models.py::test_title main.py:42 main.py(10) README.md README.md#install
        docs/README.md script.sh ./run.sh lib.rs main.pl libc.so libc.so.6 main.cc main.tf
        archive.zip archive.tar.gz video.mov id_rsa.pub Main.java file.txt style.css index.html
        package.json docker-compose.yml requirements.in MANIFEST.in Module.pm django.mo com.py
        static/main.py/index static\\main.py/x example.com.conf readme.tхt unit.test
        """.split(),
        "Откройте main.py.",
        "C:\\Users\\me\\main.py",
        "C:\\\\path",
        "`models.py`, `views.py`",
    ],
    "names": [
        *"""
        node.js Node.js/Express Vue.js ASP.NET asp.net .NET Socket.IO socket.io java.io
        System.Net.Http System.IO java.net.URL java.util.List com.example.myapp
        org.springframework.boot google.cloud.run
        """.split(),
        "Next.js, Nuxt.js и D3.js",
        "ASP.NET Core",
        "VB.NET и ADO.NET",
    ],
    "abbreviations": [
        *"""
        т.е. т.к. к.м.н. кв.м г.Москва А.С.Пушкин J.K.Rowling
        """.split(),
        "и т.д.",
        "и т.п.",
        "т. е.",
        "ул.Ленина, д.5",
    ],
    "numbers": [
        *"""
        3.14 1,5 v1.2.3 1.2.3.4 192.168.0.1 10.0.0.0/8 127.0.0.1:8000 localhost localhost:8000
        0.0.0.0:80 12.05.2024 12.05.2024/13.05.2024 09:30 3.14/рад 0.5/л
        """.split(),
        "Python 3.13.1",
    ],
    "latin": [
        *"""
        e.g. i.e. etc. U.S.A. Ph.D. B.Com P.S.
        """.split(),
        "a.m. и p.m.",
        "B.Sc. и M.Sc.",
    ],
    "colons": [
        *"""
        a:b key:value Note:this JavaScript:основы data:value {data:x,y:1} file:main.py
        HTTP:основы http:80
        """.split(),
        "Note: this",
        "JavaScript: основы",
        "data: the set",
        "file: main.py",
        "tel: 112",
        "tg: канал",
        "HTTP: основы",
    ],
    "no host": [
        *"""
        https:// http://… https://... https://<домен>/ https://{host}/api
        https://${host}:${port}/api scheme://
        """.split(),
        "«https://» в начале адреса",
        "протоколы http:// и https://",
    ],
    "program text": [
        *"""
        std::vector map<std::string,int> <std::string> <xs:element> <xs:any/> и/или 1/2 км/ч
        руб./мес. //TODO 7//2.5 a//b handlers[name](event) array[i](x) x[1:2](y)
        """.split(),
        "vector<std::string> v;",
        '<xsl:template match="/">',
        "// TODO: исправить",
        "// комментарий",
        "x = 7//2",
        "/* comment */",
        "public:\n// comment",
        "default:\n//main code",
    ],
    "our own pages": [
        *"""
        [раздел](#intro) [урок](lesson2.md) [урок](/lessons/2)
        """.split(),
        '<a href="#top">вверх</a>',
        '<a href="/lessons/2">дальше</a>',
        '<a href="style.css">',
        '<img src="image.png">',
        r"[раздел](\#intro) [урок](lesson\_2.md)",
        "href = x",
    ],
    "sentences": [
        *"""
        конец.Начало конец.Москва online.Курс v1.ai.Потом щука.сом
        """.split(),
        "end.Next sentence",
        "the very.end.In the next lesson",
        "the end.In the next lesson",
        "finished.It is",
    ],
    "properties": [
        *"""
        self.name user.name request.user.id model.pk os.name os.path.join app.run()
        requests.get(url) logging.info df.at[0] array.at(-1) list.map math.pi np.array([1])
        date.today() random.choice match.group(1) foo.bar obj.is_valid window.top this.store
        re.match.group document.title @pytest.fixture @app.post @username A@B.T user@localhost
        root@server @angular/core p.s. 1.In
        """.split(),
        "user.id, course.id",
        'app.post("/x")',
        'logger.info("x")',
        '@app.route("/")',
        "npm i vue@3.4.1",
        "\\d+\\.\\d+",
        "[a-z]+\\.txt",
        "1.\\tto be",
        "x.\ty",
    ],
    "other": [
        *"""
        обязательно!Да 100% 50%/50% 2*2=4 f(x)=x^2 CuSO4·5H2O Na2CO3.10H2O E.coli №1.2 п.п.1–3 🇷🇺
        """.split(),
        "NaCl + H2O",
        "1 ст.л. сахара, 2 ч.л. соли",
        "180 °C, 30 мин.",
        "0.5 л молока",
        "ст.158 УК РФ",
        "ч.2 ст.14.1 КоАП",
        "№ 123-ФЗ от 12.05.2024",
        "👨\u200d👩\u200d👧 семья",
        # Nobody decodes four times.
        "evil&amp;amp;amp;amp;period;com",
        "https://www.youtube.com/x?u=%2525252F%2525252Fevil",
    ],
    "ordinary": [
        *"""
        youtube.com. a[i](b) youtube.com/ youtube.com? youtube.com! x@y size:10px;color:red
        a::before{content:''} if(a<b&&c>d) <T> List<String> print('a:b') d['a']:1 {'a':1,'b':2}
        nginx:1.25-alpine 10:30-11:00 16:9 1:1000 Ин.яз. им.Пушкина с.Ивановка г.о.Химки р.п.м
        M.D. Dr.Smith St.John No.5 vs. Vol.2 pp.1-5 Fig.3 Рис.1. табл.2 ст.ст.1,2 п/п и/или/либо
        w/o A/B-тест TCP/IP HTTP/2 HTTP/1.1 I/O km/h $x$ --- super().__init__()
        obj.method().other df.groupby('a').b.mean() a.b.c.d self.x.y x.y f.read() file.open
        list.index module.exports process.env.PORT arr.length elem.style.top $.ajax _.map
        Array.from Math.max Object.is console.log window.location.href='/x' Java.Lang
        System.out.println fmt.Println os.Args Foo.Bar Program.Main H2O. NaOH. t°=20 C.H.N.
        Fe2O3.nH2O мин. v.2.0 2.0.1-rc.1 ^1.2.3 ~=1.4.2 >=3.12,<4 0.5–0.7 100.000 1.000.000
        1,234.56 $9.99 №1/2 a=b;c=d u.s. a.k.a. R&D Q&A C# F# &nbsp; &lt;div&gt; 50&50 п.1.1.1
        1)2) ... … ?.. и...ещё ну..вот da.ta Что.Где.Когда Где:тут e-mail www www. http ftp
        file://
        """.split(),
        "def f[T](obj: T, /) -> T:",
        "Сайт YouTube.com — здесь",
        "youtube.com, потом",
        "youtube.com: канал",
        "на youtube.com/@name.",
        "@media (min-width:100px)",
        "C++: std::cout<<x;",
        '<div class="a:b">',
        "#include <stdio.h>",
        "import os.path",
        "lambda x:x+1",
        "git commit -m 'x: y'",
        "docker run -p 8000:8000 app:latest",
        "et al.",
        "ГОСТ 7.32-2017",
        "\\frac{1}{2}",
        "\\\\",
        "\\n",
        "a\\b\\c",
        "\\\\server\\share",
        "[ ] задача",
        "[x] сделано",
        "[1] Иванов И.И.",
        "[1]: Иванов, 2020",
        "(см. [1](#1))",
        "* пункт",
        "> цитата",
        "```python\nimport re\nre.sub(r'\\.', '', x)\n```",
        "const x=y.z;",
        "pH 7.4",
        "200 г/л",
        "0.1 М",
        "5 мл.",
        "1/2 ст.",
        "&copy; 2024",
        "тел.: +7 (999) 000-00-00",
        "Tel.: 112",
    ],
}
