-- Makes a resource's work due now, applied or not, and logs who did.

local id, now, now_text, origin = take(), take_number(), take(), take_optional()

local kind
local tombstone = tombstone_of(id)
if tombstone then kind = tombstone.kind end
for _, candidate in ipairs({ 'user', 'group' }) do
  if call('HEXISTS', P .. candidate, id) == 1 then kind = candidate end
end
if not kind then return 0 end
local link = link_of(id)
if link.applied_document ~= 0 then
  link.applied_document = 0
  keep_link(id, link)
end
-- Whoever asks for a try wants it now, whatever the Platform asked for.
local work = work_of(id)
if work then
  work.not_before = nil
  retry_refused(work)
  put_work(id, work, work.state)
end
mark(kind, id, now)
log_act('retry', { kind = kind, id = id, origin = origin }, now, now_text)
return 1
