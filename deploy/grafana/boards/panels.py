"""What the dashboards are made of: questions, each with a panel that answers it.

A panel says what is normal, what to do otherwise, and leads to the traces behind its figure and to the runbook. Nothing here knows
which questions there are: that is in the modules beside this one. Standard library only.
"""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

METRICS = {"type": "prometheus", "uid": "metrics"}
TRACES = {"type": "tempo", "uid": "traces"}

# Variables of a dashboard. A tenant's name is small letters, digits and hyphens, so it may stand in a URL as it is.
TENANT = ("tenant", "Tenant", "label_values(scim_outbox_items, scim_tenant)")
PLATFORM_TENANT = ("tenant", "Tenant", "label_values(platform_pace_rate, scim_tenant)")
SERVICE = ("service", "Service", "label_values(service_phase, job)")
INSTANCE = ("instance", "Instance", 'label_values(service_phase{job=~"$service"}, instance)')

GREEN, YELLOW, RED = "green", "yellow", "red"


@dataclass
class Panel:
    """One question. Queries are pairs of PromQL and legend; `traces` is TraceQL; `runbook` an anchor of docs/operations.md."""

    title: str
    kind: str  # stat, timeseries, table
    queries: list
    unit: str
    normal: str
    do: str
    runbook: str
    traces: str
    yellow: float | None = None
    red: float | None = None
    falling: bool = False  # it is too little that is bad, not too much
    words: dict = field(default_factory=dict)  # what values are called; the first is as it should be
    none: str = "none"  # what stands where there is no value
    stacked: bool = False
    width: int = 8
    height: int = 8


@dataclass
class Board:
    uid: str
    title: str
    about: str
    variables: list
    rows: list  # pairs of a question that the row is about, and its panels


def explore(traceql):
    """The address at which Grafana shows the traces that a query finds, in the dashboard's span of time."""
    query = {"refId": "A", "datasource": TRACES, "queryType": "traceql", "tableType": "traces", "limit": 20, "query": traceql}
    pane = {"datasource": TRACES["uid"], "queries": [query], "range": {"from": "${__from}", "to": "${__to}"}}
    encoded = quote(json.dumps({"traces": pane}, separators=(",", ":")), safe="")
    # What Grafana fills in must be legible to it.
    filled_in = re.sub("%24%7B(.*?)%7D", lambda variable: "${" + unquote(variable[1]) + "}", encoded)
    return f"/explore?schemaVersion=1&panes={filled_in}"


def links(panel):
    """Above the panel: all that it shows. On a point of it: the traces of that tenant or service."""
    narrowed = panel.traces
    for variable, label in (("tenant", "scim_tenant"), ("service", "job")):
        if any(f"{{{{{label}}}}}" in legend for _, legend in panel.queries):
            narrowed = narrowed.replace(f"${{{variable}:pipe}}", f"${{__field.labels.{label}}}")
    return (
        [{"title": "Traces behind it", "url": explore(panel.traces), "targetBlank": True}],
        [{"title": "Traces of this one", "url": explore(narrowed), "targetBlank": True}],
    )


def thresholds(panel):
    """Each color holds from its value on. Where too little is bad: red below `red`, yellow below `yellow`."""
    if not panel.falling:
        steps = [(GREEN, None)] + [step for step in ((YELLOW, panel.yellow), (RED, panel.red)) if step[1] is not None]
    elif panel.red is None:
        steps = [(YELLOW, None), (GREEN, panel.yellow)]
    elif panel.yellow is None:
        steps = [(RED, None), (GREEN, panel.red)]
    else:
        steps = [(RED, None), (YELLOW, panel.red), (GREEN, panel.yellow)]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


def mappings(panel):
    """What values are called; the first of them is as it should be."""
    options = {
        str(value): {"text": text, "index": i, "color": RED if i else GREEN} for i, (value, text) in enumerate(panel.words.items())
    }
    return [{"type": "value", "options": options}] if options else []


def render_panel(panel, number, place):
    above, on_point = links(panel)
    has_thresholds = panel.yellow is not None or panel.red is not None
    defaults = {
        "unit": panel.unit,
        "noValue": panel.none,
        "thresholds": thresholds(panel),
        "mappings": mappings(panel),
        "links": on_point,
        "color": {"mode": "thresholds" if panel.kind != "timeseries" else "palette-classic"},
    }
    if panel.kind == "timeseries":
        defaults["min"] = 0
        defaults["custom"] = {
            "fillOpacity": 20 if panel.stacked else 0,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if has_thresholds else "off"},
        }
        options = {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    elif panel.kind == "stat":
        options = {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "background",
            "graphMode": "none",
            "textMode": "value_and_name",
        }
    else:
        defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}}
        options = {"showHeader": True, "sortBy": [{"displayName": "Value", "desc": not panel.falling}]}
    now = panel.kind != "timeseries"
    rendered = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": (
            f"**Normal:** {panel.normal}\n\n**Otherwise:** {panel.do}\n\n"
            f"Runbook: [docs/operations.md#{panel.runbook}](${{docs}}/operations.md#{panel.runbook})"
        ),
        "datasource": METRICS,
        "gridPos": place,
        "links": above,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": METRICS,
                "expr": expr,
                "legendFormat": legend,
                "range": not now,
                "instant": now,
                "format": "table" if panel.kind == "table" else "time_series",
            }
            for i, (expr, legend) in enumerate(panel.queries)
        ],
    }
    if panel.kind == "table":
        hidden = {"Time": True, "__name__": True, "otel_scope_name": True, "otel_scope_version": True, "otel_scope_schema_url": True}
        rendered["transformations"] = [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": hidden, "indexByName": {}, "renameByName": {}}},
        ]
    return rendered


def render_variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": METRICS,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Everything, also what has no such label.
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def render(board, docs):
    """The dashboard as Grafana reads it (schema 39: Grafana 11, and later ones by their own migration)."""
    panels, number, y = [], 0, 0
    for question, row in board.rows:
        number += 1
        panels.append(
            {"id": number, "type": "row", "title": question, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        )
        x, y, height = 0, y + 1, 0
        for panel in row:
            if x + panel.width > 24:
                x, y, height = 0, y + height, 0
            number += 1
            panels.append(render_panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height}))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    where = {"name": "docs", "label": "Documentation", "type": "textbox", "query": docs, "hide": 2}
    where["current"] = {"selected": True, "text": docs, "value": docs}
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": ["scim-gateway"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {"list": [render_variable(*one) for one in board.variables] + [where]},
        "links": [
            {
                "title": "SCIM Gateway",
                "type": "dashboards",
                "tags": ["scim-gateway"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
            }
        ],
        "panels": panels,
    }
