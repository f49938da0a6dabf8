"""The outbox: who is to get which mail, and what became of it. A leaf: it imports no other app.

`Mailing` and `Delivery` are the ledger, `kinds` says what an app has to tell about a kind of mail,
`services` puts mail in, `listing` writes down the recipients, `office` sends, `tasks` is run by
the worker.
"""
