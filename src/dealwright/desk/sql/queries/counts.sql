-- How much the desk holds.
select (select count(*) from dealwright.agent) as agents,
       (select count(*) from dealwright.assignment) as assignments,
       (select count(*) from dealwright.booking) as bookings,
       (select count(*) from dealwright.lead where status = 'waiting') as waiting
