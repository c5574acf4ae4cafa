create table customers (id integer primary key, name text, tenant text);
insert into customers values (1, 'Kim Park', 'Acme'), (2, 'Sam Reed', 'Acme'), (3, 'Noor Ali', 'Acme');

create table tickets (
  id integer primary key, customer integer references customers (id), subject text, status text, opened text
);
insert into tickets values
  (1, 1, 'Order 1 was charged twice', 'open', '2026-03-02'),
  (2, 2, 'Mug arrived in the wrong colour', 'closed', '2026-03-03'),
  (3, 1, 'Where is my lamp?', 'open', '2026-03-05'),
  (4, 3, 'Gift wrap for order 9', 'closed', '2026-03-08'),
  (5, 2, 'Blanket sheds', 'waiting', '2026-03-09');
