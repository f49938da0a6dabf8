from ninja import Router

courses_router = Router()
lessons_router = Router()
subscriptions_router = Router()
