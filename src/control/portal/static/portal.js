// What the portal gains where scripts run: local times, clocks that count, copying, live tables, a request checked while
// it is typed. Every page works without this file.
'use strict';

const each = (root, selector, work) => root.querySelectorAll(selector).forEach(work);
const local = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
const exact = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayOnly = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const clockOnly = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function left(until) {
  const seconds = Math.max(0, Math.floor((until - Date.now()) / 1000));
  if (seconds === 0) return 'over';
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min left`;
  return `${minutes}:${String(seconds % 60).padStart(2, '0')} left`;
}

function tick() {
  each(document, '[data-until]', (at) => { at.textContent = left(Number(at.dataset.until)); });
}

/** Dresses what the server wrote: times become local (UTC stays in the title), ids can be copied. */
function dress(root) {
  each(root, 'time[datetime]', (time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) return;
    time.textContent = ({ clock: clockOnly, day: dayOnly, exact }[time.dataset.form] ?? local).format(at);
  });
  each(root, 'button[data-copy]', (button) => {
    button.hidden = !navigator.clipboard;
  });
  tick();
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copy]');
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const before = button.textContent;
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = before; }, 1500);
});

/** Puts new HTML in a part's place without taking the focus from anybody. */
function replace(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : '';
  part.innerHTML = html;
  dress(part);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** Asks for a part again and again while somebody looks. Typing in it is never disturbed. */
function poll(part) {
  const again = async () => {
    const typing = part.contains(document.activeElement) && document.activeElement.matches('input, textarea, select');
    if (document.visibilityState === 'visible' && !typing) {
      try {
        const answer = await fetch(part.dataset.poll, { headers: { accept: 'text/html' }, redirect: 'error' });
        if (answer.ok) replace(part, await answer.text());
        part.toggleAttribute('data-stale', !answer.ok);
      } catch {
        part.toggleAttribute('data-stale', true);
      }
    }
    setTimeout(again, Number(part.dataset.every) * 1000);
  };
  setTimeout(again, Number(part.dataset.every) * 1000);
}

/** A request is weighed while it is typed: the same answer as the button "Check" gives. */
function check(form) {
  const part = document.getElementById(form.dataset.shows);
  const parts = [part, ...form.dataset.chooses.split(' ').map((id) => document.getElementById(id))];
  let timer;
  let sent = 0;
  const ask = async () => {
    sent += 1;
    const mine = sent;
    try {
      const answer = await fetch(form.dataset.check, { method: 'POST', body: new URLSearchParams(new FormData(form)), redirect: 'error' });
      if (!answer.ok || mine !== sent) return;
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const it of parts) {
        const now = page.getElementById(it.id);
        if (now) replace(it, now.innerHTML);
      }
    } catch { /* The button "Check" is still there. */ }
  };
  form.addEventListener('input', (event) => {
    clearTimeout(timer);
    timer = setTimeout(ask, event.target.matches('input[type=checkbox], input[type=radio], select') ? 0 : 450);
  });
  each(form, '[data-plain]', (button) => { button.hidden = true; });
}

/** The customer's link carries its secret behind the `#`, which no server log ever sees. */
function consent(form) {
  const send = () => {
    const secret = location.hash.slice(1);
    if (!secret) return;
    history.replaceState(null, '', location.pathname);
    form.elements.token.value = secret;
    form.submit();
  };
  window.addEventListener('hashchange', send);
  send();
}

dress(document);
setInterval(tick, 1000);
each(document, '[data-poll]', poll);
each(document, 'form[data-check]', check);
each(document, 'form[data-consent]', consent);
