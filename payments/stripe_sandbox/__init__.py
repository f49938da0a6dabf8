"""A Stripe to develop against: a small server that speaks Stripe's dialect over real HTTP.

For development and tests only: it takes everybody's word for everything. Nothing in production
imports it, and `manage.py stripe_sandbox` refuses to start there. Its answers are compared with
Stripe's own description in payments/tests/.
"""
