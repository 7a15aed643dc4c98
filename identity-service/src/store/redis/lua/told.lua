-- What the log tells of how claims ended. What ended as before tells nothing new: an outage, or a refusal that is tried again
-- every hour, must not push out what else was logged; nor has a delivery an entry that was woken for nothing.

-- `of` is the claim: kind, id, the version it was of where that is known, its trace, and the time.
local function log_outcome(of, verdict, to, told)
  local record, tombstone = record_of(of.kind, of.id), tombstone_of(of.id)
  to = to or record and record.version or tombstone and tombstone.version or 0
  append('outcome', of.now, of.now_text, {
    'outcome', verdict, 'kind', of.kind, 'id', of.id,
    'from', number_text(link_of(of.id).applied_version), 'to', number_text(to), 'failure', told.failure or '',
    'applied', told.applied or '', 'refused', told.refused or '', 'trace', of.trace or '',
    'planned', told.planned or '',
  })
end

-- Logs that a delivery failed, if it did not fail so before.
local function tell_failed(of, work, verdict, failure)
  local before, known = work.failure, false
  if before and before.reason == failure.reason then
    known = verdict == 'later' or work.state == 'refused' and before.message == failure.message
  end
  if not known then log_outcome(of, verdict, of.version, { failure = cjson.encode(failure) }) end
end

-- Logs that an order was applied, if that did anything; the link is still as it was before.
local function tell_applied(of, work, platform_id, version, document_version, confirmed, refused, because)
  local link, before = link_of(of.id), work.failure
  local unmoved = link.platform_id == platform_id and link.applied_version == version
    and link.applied_document == document_version and confirmed == 0
  local failure, known = refused > 0 and because and cjson.decode(because), false
  if failure then
    known = work.state == 'refused' and before and before.reason == failure.reason and before.message == failure.message
  else
    known = not before and refused == 0
  end
  if unmoved and known and not tombstone_of(of.id) then return end
  log_outcome(of, refused > 0 and 'refused' or 'applied', version > 0 and version or nil, {
    failure = failure and because, applied = confirmed > 0 and number_text(confirmed),
    refused = refused > 0 and number_text(refused),
  })
end
