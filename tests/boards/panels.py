"""Builders of panels and variables for both dashboards, following the rules of Grafana's dashboard linter.

Each panel has a title, a description, a unit and the dashboard's data source. Each query selects the dashboard's jobs
and instances: write its selectors with `of("metric")`.
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
"""PromQL expression and legend format ("" for none)."""
Steps = Sequence[tuple[float | None, str]]
"""Lower bound and color of each step; the first bound is None."""
Panel = Any
"""Panel builder of any kind: they share methods but no base type."""


def of(name: str, **labels: str) -> str:
    """Return a selector of a daemon or process metric for the chosen jobs and instances.

    A label value may hold several alternatives, separated by "|".
    """
    full = name if name.startswith("process_") else PREFIX + name
    matchers = ['job=~"$job"', 'instance=~"$instance"']
    matchers += [f'{label}{"=~" if "|" in value else "="}"{value}"' for label, value in labels.items()]
    return f"{full}{{{', '.join(matchers)}}}"


def led(expression: str) -> str:
    """Return the maximum over leaders: a former leader still exports its last values."""
    return f"max by (job) ({expression} and on (job, instance) {of('leader')} == 1)"


def age(name: str) -> str:
    """Return the seconds since a timestamp of the leader; no sample while the timestamp is 0."""
    return f"time() - ({of(name)} > 0) and on (job, instance) {of('leader')} == 1"


def rate(name: str, by: str) -> str:
    """Return the per-second rate of a counter."""
    return f"sum by ({by}) (rate({of(name)}[$__rate_interval]))"


def quantile(share: float, name: str, by: str = "le") -> str:
    """Return a quantile of a histogram, `share` from 0 to 1."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({of(name)}[$__rate_interval])))"


def _describe(panel: Panel, title: str, text: str, unit: str, queries: Sequence[Query], size: tuple[int, int]) -> Panel:
    panel.title(title).description(text).unit(unit).datasource(SOURCE).span(size[0]).height(size[1])
    for position, (expression, legend) in enumerate(queries):
        target = prometheus.Dataquery().expr(expression).ref_id(ascii_uppercase[position]).datasource(SOURCE)
        panel.with_target(target.legend_format(legend) if legend else target)
    return panel


def _steps(steps: Steps) -> dashboard.ThresholdsConfig:
    built = [Threshold(value, color) for value, color in steps]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(built)


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
    """Return a stat panel; `graph` adds a sparkline, `names` shows the series name instead of the value."""
    panel: Panel = _describe(stat.Panel(), title, text, unit, [query], size)
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
    """Return a time series panel; `columns` draws bars, one per `every`; `colors` maps series names to colors."""
    panel: Panel = _describe(timeseries.Panel(), title, text, unit, queries, size)
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
    built = common.VizLegendOptions().show_legend(True).placement(shapes.LegendPlacement.BOTTOM)
    return built.display_mode(shapes.LegendDisplayMode.LIST).calcs([])


def shares(title: str, text: str, unit: str, query: Query, size: tuple[int, int] = (8, 9)) -> Panel:
    """Return a donut chart."""
    panel: Panel = _describe(piechart.Panel(), title, text, unit, [query], size)
    legend = piechart.PieChartLegendOptions().show_legend(True).display_mode(shapes.LegendDisplayMode.TABLE)
    legend.placement(shapes.LegendPlacement.RIGHT).values([pies.PieChartLegendValues.VALUE])
    panel.pie_type(pies.PieChartType.DONUT).legend(legend)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def gauges(title: str, text: str, unit: str, query: Query, size: tuple[int, int] = (8, 8)) -> Panel:
    """Return a panel of horizontal bars."""
    panel: Panel = _describe(bargauge.Panel(), title, text, unit, [query], size)
    panel.orientation(shapes.VizOrientation.HORIZONTAL).display_mode(shapes.BarGaugeDisplayMode.GRADIENT)
    panel.value_mode(shapes.BarGaugeValueMode.COLOR).min(0).thresholds(_steps(((None, BLUE),)))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def states(
    title: str, text: str, query: Query, texts: Mapping[int, tuple[str, str]], size: tuple[int, int] = (24, 6)
) -> Panel:
    """Return a state timeline."""
    panel: Panel = _describe(statetimeline.Panel(), title, text, "short", [query], size)
    return panel.mappings(_mappings(texts)).show_value(shapes.VisibilityMode.NEVER).legend(_legend()).fill_opacity(80)


def board(title: str, uid: str, text: str, since: str, refresh: str) -> dashboard.Dashboard:
    """Return a dashboard without panels: title, time range and the three variables."""
    built = dashboard.Dashboard(title).uid(uid).description(text).tags(["chatello-analytics"]).readonly()
    built.time(since, "now").refresh(refresh).timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR).version(1)
    built.link(
        dashboard.DashboardLink("chatello-analytics")
        .tags(["chatello-analytics"])
        .type(DashboardLinkType.DASHBOARDS)
        .keep_time(True)
    )
    built.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    built.with_variable(_chosen("job", "label_values(chatello_analytics_build_info, job)"))
    return built.with_variable(
        _chosen("instance", 'label_values(chatello_analytics_build_info{job=~"$job"}, instance)')
    )


def _chosen(name: str, query: str) -> dashboard.QueryVariable:
    built = dashboard.QueryVariable(name).label(name.capitalize()).datasource(SOURCE).query(query)
    built.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    all_option = VariableOption(selected=True, text="All", value="$__all")
    return built.multi(True).include_all(True).all_value(".+").current(all_option)
