"""What a plugin may implement, where plugins are found, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from harness.errors import ConfigError, HarnessError, Problem

if TYPE_CHECKING:
    from harness.events import Subscriber
    from harness.plugins import Scorer
    from harness.settings import Settings

#: The entry point group of plugins, and pluggy's project name.
GROUP = "harness"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Hooks:
    """What a plugin may implement, with `from harness.plugins import hookimpl`.

    Nobody calls these: they say names, arguments and types, and have no bodies.
    """

    @hookspec
    def harness_scorers(self) -> Iterable[Scorer]:  # type: ignore[empty-body]  # a specification
        """Scorers to add; a name that exists already is an error."""

    @hookspec
    def harness_subscribers(  # type: ignore[empty-body]  # a specification
        self, settings: Settings, redact: Callable[[str], str]
    ) -> Iterable[Subscriber]:
        """Functions that hear every event of a run, which is about to begin; a plugin may leave the arguments out.

        Subscribers are called in the run's event loop and must not wait. One that raises is told of on stderr and hears
        nothing more of that run, which goes on.

        Args:
            settings: The project's.
            redact: Takes secrets out of a text. Events hold what was said, as it was said: what leaves the machine
                should pass here.
        """


class Plugin:
    """A plugin that is loaded."""

    def __init__(self, source: str, implementation: object) -> None:
        """
        Args:
            source: How messages and lists name it: `built-in`, or the distribution and its entry point.
            implementation: A module or object with functions named like the hooks.

        Raises:
            ConfigError: Its functions do not fit the hooks.
        """
        self.source = source
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(Hooks)
        try:
            self._manager.register(implementation)
            # A misspelt hook would never be called.
            self._manager.check_pending()
        except Exception as error:
            raise self._failed(error) from error

    @property
    def hooks(self) -> tuple[str, ...]:
        """Names of the hooks that it implements, sorted."""
        callers = {caller.name for plugin in self._manager.get_plugins() for caller in self._callers(plugin)}
        return tuple(sorted(callers))

    def gather(self, hook: str, **arguments: Any) -> list[Any]:
        """Call a hook and return all that it gives; nothing where the plugin has none of that name.

        Raises:
            HarnessError: The plugin raised one: it says itself what is wrong.
            ConfigError: It raised anything else, or gave nothing that can be gone through.
        """
        try:
            return [one for group in getattr(self._manager.hook, hook)(**arguments) for one in group]
        except HarnessError:
            raise
        except Exception as error:
            raise self._failed(error) from error

    def _callers(self, plugin: object) -> Iterable[pluggy.HookCaller]:
        return self._manager.get_hookcallers(plugin) or ()

    def _failed(self, error: Exception) -> ConfigError:
        return ConfigError(Problem(message=f"{self.source} failed: {type(error).__name__}: {error}"))


def installed() -> list[Plugin]:
    """Load the plugins that installed distributions announce, in the order of their names.

    Raises:
        ConfigError: One cannot be loaded, or does not fit the hooks.
    """
    from importlib.metadata import entry_points

    found: list[Plugin] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        source = f"plugin {entry.dist.name if entry.dist else entry.value} ({entry.name})"
        try:
            implementation = entry.load()
        except Exception as error:
            message = f"{source} cannot be loaded: {type(error).__name__}: {error}"
            raise ConfigError(Problem(message=message, hint="Repair or uninstall it.")) from error
        found.append(Plugin(source, implementation))
    return found
