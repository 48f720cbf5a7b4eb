"""What main.py uses of Flet, without a window: what is shown is a list, and a click is a call."""

from __future__ import annotations

import enum
from typing import Any, List, Optional

opened: List[str] = []


class LaunchMode(enum.Enum):
    EXTERNAL_APPLICATION = "externalApplication"


class Text:
    def __init__(self, value: str = "") -> None:
        self.value = value


class Button:
    def __init__(self, content: str, *, on_click: Any) -> None:
        self.value = content
        self.on_click = on_click


class UrlLauncher:
    async def launch_url(self, url: str, *, mode: LaunchMode) -> None:
        opened.append(url)


class RouteChangeEvent:
    def __init__(self, route: str) -> None:
        self.route = route


class Page:
    def __init__(self, route: str = "/") -> None:
        self.title = ""
        self.route = route
        self.on_route_change: Any = None
        self.controls: List[Any] = []

    def clean(self) -> None:
        self.controls.clear()

    def add(self, *controls: Any) -> None:
        self.controls.extend(controls)

    async def push_route(self, route: str) -> None:
        self.route = route
        await self.on_route_change(RouteChangeEvent(route))

    @property
    def texts(self) -> List[str]:
        return [control.value for control in self.controls]

    def button(self, label: str) -> Optional[Any]:
        return next((one.on_click for one in self.controls if isinstance(one, Button) and one.value == label), None)
