"""The rule templates that come with the product: small Lua filters to start from, as the first API version lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nectary.fluentbit.processing.script import CALL

_ADD_FIELD: Final = """\
-- Says in every record where it comes from.
function cb_filter(tag, ts, record)
  record.environment = "production"
  return 2, ts, record
end
"""

_DROP_DEBUG: Final = """\
-- Drops what is only of use while debugging.
local unwanted = {debug = true, trace = true}

function cb_filter(tag, ts, record)
  local level = record.level
  if type(level) == "string" and unwanted[level:lower()] then return -1, ts, record end
  return 0, ts, record
end
"""

_MASK_EMAIL: Final = """\
-- Covers e-mail addresses in every text at the top of the record.
function cb_filter(tag, ts, record)
  local changed = false
  for key, value in pairs(record) do
    if type(value) == "string" then
      local covered, count = value:gsub("[%w._%%+-]+@[%w-]+%.[%w.-]+", "***@***")
      if count > 0 then
        record[key], changed = covered, true
      end
    end
  end
  if changed then return 2, ts, record end
  return 0, ts, record
end
"""

_MASK_CARD: Final = """\
-- Leaves the last four digits of what looks like a card number.
local function covered(number)
  local digits = number:gsub("[ -]", "")
  if #digits < 13 or #digits > 19 then return number end
  return ("*"):rep(#digits - 4) .. digits:sub(-4)
end

function cb_filter(tag, ts, record)
  if type(record.log) ~= "string" then return 0, ts, record end
  record.log = record.log:gsub("%d[%d -]+%d", covered)
  return 2, ts, record
end
"""

_FLATTEN: Final = """\
-- Moves the fields of nested maps to the top: {a = {b = 1}} becomes {["a.b"] = 1}.
local function flatten(fields, prefix, into)
  for key, value in pairs(fields) do
    local is_map = type(value) == "table" and value[1] == nil and next(value) ~= nil
    if is_map then flatten(value, prefix .. key .. ".", into) else into[prefix .. key] = value end
  end
  return into
end

function cb_filter(tag, ts, record)
  return 2, ts, flatten(record, "", {})
end
"""

_LEVEL: Final = """\
-- Finds the level of a plain text line and writes it the same way everywhere.
local levels = {
  {"fatal", "fatal"}, {"panic", "fatal"}, {"error", "error"}, {"warn", "warning"}, {"notice", "info"}, {"info", "info"},
  {"debug", "debug"}, {"trace", "debug"},
}

function cb_filter(tag, ts, record)
  if record.level ~= nil or type(record.log) ~= "string" then return 0, ts, record end
  local line = record.log:lower()
  for _, level in ipairs(levels) do
    if line:find("%f[%a]" .. level[1]) then
      record.level = level[2]
      return 2, ts, record
    end
  end
  return 0, ts, record
end
"""

_KEEP_ONE_IN_TEN: Final = """\
-- Lets one record of ten pass.
local seen = 0

function cb_filter(tag, ts, record)
  seen = seen % 10 + 1
  if seen == 1 then return 0, ts, record end
  return -1, ts, record
end
"""

STATIC_TEMPLATES: Final[tuple[Mapping[str, object], ...]] = tuple(
    {"name": name, "definition": {"name": "lua", "match": "*", "code": code, "call": CALL}}
    for name, code in (
        ("Add a field", _ADD_FIELD),
        ("Drop debug records", _DROP_DEBUG),
        ("Mask e-mail addresses", _MASK_EMAIL),
        ("Mask card numbers", _MASK_CARD),
        ("Flatten nested fields", _FLATTEN),
        ("Find the level of a line", _LEVEL),
        ("Keep one record in ten", _KEEP_ONE_IN_TEN),
    )
)
