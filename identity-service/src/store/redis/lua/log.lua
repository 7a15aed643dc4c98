-- The tenant's log: one entry for each change, each outcome of a delivery, each act of an operator. A step adds its entry, and
-- takes out a few that are no longer kept: more than LOG_LENGTH, or older than LOG_RETENTION in milliseconds, where that is not 0.

-- How many old entries the step that adds one takes out at most, and how many members an entry names.
local TRIM_AT_ONCE, MEMBERS_NAMED = 8, 100

local function number_text(number)
  return string.format('%.0f', number)
end

-- Takes the oldest entries out that are no longer kept, at most so many; gives how many. Entries begin with `what` and `at`.
local function trim_log(now, most)
  local newest = tonumber(call('HGET', META, 'position') or 0)
  for trimmed = 0, most - 1 do
    local oldest = call('XRANGE', FEED, '-', '+', 'COUNT', 1)[1]
    if not oldest then return trimmed end
    local position, what, written = string.match(oldest[1], '^%d+'), oldest[2][2], tonumber(oldest[2][4])
    local is_old = LOG_RETENTION > 0 and written / 1000000 <= now - LOG_RETENTION
    if tonumber(position) > newest - LOG_LENGTH and not is_old then return trimmed end
    call('XDEL', FEED, oldest[1])
    if what ~= 'outcome' and what ~= 'act' then call('HSET', META, 'changes_trimmed', position) end
  end
  return most
end

-- Adds an entry: names and values, of which those without a value are left out.
local function append(what, now, now_text, told)
  local fields = {}
  for i = 1, #told, 2 do
    if told[i + 1] and told[i + 1] ~= '' then
      fields[#fields + 1] = told[i]
      fields[#fields + 1] = told[i + 1]
    end
  end
  local position = call('HINCRBY', META, 'position', 1)
  call('XADD', FEED, number_text(position) .. '-0', 'what', what, 'at', now_text, unpack(fields))
  trim_log(now, TRIM_AT_ONCE)
end

-- Logs a change. Of its members it tells how many came and went, and who, unless they are many or were staged.
local function log_change(what, kind, id, version, told, now, now_text)
  local added, removed, came, went = told.added or 0, told.removed or 0, told.came, told.went
  local some = added + removed > 0
  -- Never nil, which would end the list below.
  local named = some and came ~= nil and added + removed <= MEMBERS_NAMED
  append(what, now, now_text, {
    'kind', kind, 'id', id, 'version', number_text(version), 'attributes', told.attributes,
    'diff', told.diff or '', 'origin', told.origin or '',
    'added', some and number_text(added), 'removed', some and number_text(removed),
    'came', named and table.concat(came), 'went', named and table.concat(went), 'unnamed', some and not named and '1',
  })
end

-- Logs what an operator did: to a resource, where `told` has `kind` and `id`, or to the tenant. Who and why are the caller's
-- texts, or nothing.
local function log_act(act, told, now, now_text)
  append('act', now, now_text, {
    'act', act, 'kind', told.kind or '', 'id', told.id or '', 'origin', told.origin or '',
    'by', told.by or '', 'reason', told.reason or '',
  })
end
