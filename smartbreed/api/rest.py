from fastapi import APIRouter
def build_router(services): return APIRouter()
