-- A standing is read whole by every lead: nothing of it is compressed or kept elsewhere. Never edited again once released.

alter table dealwright.standing set (toast_tuple_target = 8160);
alter table dealwright.standing alter column query set storage plain;
delete from dealwright.standing;  -- each is made anew by the next lead of its kind
