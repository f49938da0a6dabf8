"""The outbox: who is to get which mail, and what became of it. A leaf: it imports no other app.

`Mailing` and `Delivery` are the ledger, `kinds` says what an app has to tell about a kind of mail,
`services` puts mail in, `listing` writes down the recipients, `office` claims what is due and
`courier` delivers it: `message` has the bytes, `transport` speaks to the mail server, `outcomes`
writes down what became of it. `tasks` is run by the worker, `admin` shows it.
"""
