"""Panels and variables as both dashboards have them, by the rules of Grafana's dashboard linter.

A panel always has a title, a description, a unit and the dashboard's data source; a query always names the
dashboard's jobs and instances: `of("metric")` is the selector to write it with.
"""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    piechart,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import piechart as pies
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

PREFIX = "chatello_analytics_"
SOURCE = DataSourceRef("prometheus", "${datasource}")
GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "text"

ZERO_IS_GOOD = ((None, GREEN), (1, RED))

Query = tuple[str, str]
"""An expression and the name its series are shown by (Grafana's legend format, "" for none)."""
Steps = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first from None on."""
Panel = Any
"""A panel's builder, of whichever kind: they share their methods but no type."""


def of(name: str, **labels: str) -> str:
    """A selector of one of our metrics, or of the process', for the chosen jobs and instances.

    A label's value may name several, split by "|".
    """
    full = name if name.startswith("process_") else PREFIX + name
    wanted = ['job=~"$job"', 'instance=~"$instance"']
    wanted += [f'{label}{"=~" if "|" in value else "="}"{value}"' for label, value in labels.items()]
    return f"{full}{{{', '.join(wanted)}}}"


def led(expression: str) -> str:
    """The largest of the daemons that lead: one that led before still shows what it knew then."""
    return f"max by (job) ({expression} and on (job, instance) {of('leader')} == 1)"


def age(name: str) -> str:
    """Seconds since a timestamp; none while it was never set, and none of a daemon that led before."""
    return f"time() - ({of(name)} > 0) and on (job, instance) {of('leader')} == 1"


def rate(name: str, by: str) -> str:
    """How fast a counter grows, a second."""
    return f"sum by ({by}) (rate({of(name)}[$__rate_interval]))"


def quantile(share: float, name: str, by: str = "le") -> str:
    """What a share of a histogram's observations stays below."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({of(name)}[$__rate_interval])))"


def _dress(panel: Panel, title: str, text: str, unit: str, queries: Sequence[Query], size: tuple[int, int]) -> Panel:
    panel.title(title).description(text).unit(unit).datasource(SOURCE).span(size[0]).height(size[1])
    for place, (expression, legend) in enumerate(queries):
        target = prometheus.Dataquery().expr(expression).ref_id(ascii_uppercase[place]).datasource(SOURCE)
        panel.with_target(target.legend_format(legend) if legend else target)
    return panel


def _steps(steps: Steps) -> dashboard.ThresholdsConfig:
    made = [Threshold(value, color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def _mappings(texts: Mapping[int, tuple[str, str]]) -> list[ValueMapping]:
    return [ValueMap({str(value): ValueMappingResult(text, color) for value, (text, color) in texts.items()})]


def number(
    title: str,
    text: str,
    unit: str,
    query: Query,
    *,
    steps: Steps = ((None, BLUE),),
    texts: Mapping[int, tuple[str, str]] | None = None,
    graph: bool = False,
    names: bool = False,
    decimals: int | None = None,
    size: tuple[int, int] = (4, 5),
) -> Panel:
    """One number, large; `graph` draws its past below it, `names` shows the series' name instead of the value."""
    panel: Panel = _dress(stat.Panel(), title, text, unit, [query], size)
    panel.thresholds(_steps(steps)).color_mode(shapes.BigValueColorMode.VALUE)
    panel.graph_mode(shapes.BigValueGraphMode.AREA if graph else shapes.BigValueGraphMode.NONE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.text_mode(shapes.BigValueTextMode.NAME if names else shapes.BigValueTextMode.AUTO)
    if texts:
        panel.mappings(_mappings(texts))
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    title: str,
    text: str,
    unit: str,
    *queries: Query,
    size: tuple[int, int] = (12, 8),
    stacked: bool = False,
    columns: bool = False,
    every: str = "",
    colors: Mapping[str, str] | None = None,
    fill: int = 10,
    low: float | None = 0,
) -> Panel:
    """Something over time; `columns` draws bars, one per `every`, and `colors` paints series by their name."""
    panel: Panel = _dress(timeseries.Panel(), title, text, unit, queries, size)
    panel.draw_style(shapes.GraphDrawStyle.BARS if columns else shapes.GraphDrawStyle.LINE)
    panel.fill_opacity(80 if columns else fill).line_width(1 if columns else 2)
    panel.show_points(shapes.VisibilityMode.NEVER).span_nulls(False)
    panel.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
    panel.legend(_legend())
    if stacked:
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
    if every:
        panel.interval(every)
    for name, color in (colors or {}).items():
        panel.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})])
    return panel if low is None else panel.axis_soft_min(low)


def _legend() -> common.VizLegendOptions:
    made = common.VizLegendOptions().show_legend(True).placement(shapes.LegendPlacement.BOTTOM)
    return made.display_mode(shapes.LegendDisplayMode.LIST).calcs([])


def shares(title: str, text: str, unit: str, query: Query, size: tuple[int, int] = (8, 9)) -> Panel:
    """Parts of a whole, as a ring."""
    panel: Panel = _dress(piechart.Panel(), title, text, unit, [query], size)
    legend = piechart.PieChartLegendOptions().show_legend(True).display_mode(shapes.LegendDisplayMode.TABLE)
    legend.placement(shapes.LegendPlacement.RIGHT).values([pies.PieChartLegendValues.VALUE])
    panel.pie_type(pies.PieChartType.DONUT).legend(legend)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def gauges(title: str, text: str, unit: str, query: Query, size: tuple[int, int] = (8, 8)) -> Panel:
    """A few things side by side as horizontal bars."""
    panel: Panel = _dress(bargauge.Panel(), title, text, unit, [query], size)
    panel.orientation(shapes.VizOrientation.HORIZONTAL).display_mode(shapes.BarGaugeDisplayMode.GRADIENT)
    panel.value_mode(shapes.BarGaugeValueMode.COLOR).min(0).thresholds(_steps(((None, BLUE),)))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def states(
    title: str, text: str, query: Query, texts: Mapping[int, tuple[str, str]], size: tuple[int, int] = (24, 6)
) -> Panel:
    """What something was from when to when."""
    panel: Panel = _dress(statetimeline.Panel(), title, text, "short", [query], size)
    return panel.mappings(_mappings(texts)).show_value(shapes.VisibilityMode.NEVER).legend(_legend()).fill_opacity(80)


def board(title: str, uid: str, text: str, since: str, refresh: str) -> dashboard.Dashboard:
    """A dashboard without panels: its name, its times and the three variables."""
    made = dashboard.Dashboard(title).uid(uid).description(text).tags(["chatello-analytics"]).readonly()
    made.time(since, "now").refresh(refresh).timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR).version(1)
    made.link(
        dashboard.DashboardLink("chatello-analytics")
        .tags(["chatello-analytics"])
        .type(DashboardLinkType.DASHBOARDS)
        .keep_time(True)
    )
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    made.with_variable(_chosen("job", "label_values(chatello_analytics_build_info, job)"))
    return made.with_variable(_chosen("instance", 'label_values(chatello_analytics_build_info{job=~"$job"}, instance)'))


def _chosen(name: str, query: str) -> dashboard.QueryVariable:
    made = dashboard.QueryVariable(name).label(name.capitalize()).datasource(SOURCE).query(query)
    made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    everything = VariableOption(selected=True, text="All", value="$__all")
    return made.multi(True).include_all(True).all_value(".+").current(everything)
