/** The page that shows a console; its parameters are those of noVNC's own: `path`, `token`, `view_only`, `scale`. */
export const NOVNC_HTML = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>noVNC</title>
<link rel="icon" href="data:,">
<style>
html, body { margin: 0; height: 100%; background: #1d2125; color: #e6e6e6; font: 14px system-ui, sans-serif; }
body { display: flex; flex-direction: column; }
#bar { display: flex; gap: 1em; align-items: center; padding: 0.4em 0.8em; background: #2b3138; }
#status { flex: 1; }
#status.bad { color: #ffb4a8; }
button { font: inherit; padding: 0.2em 0.8em; }
#screen { flex: 1; overflow: hidden; }
</style>
<script type="module" src="nestack.js"></script>
</head>
<body>
<div id="bar"><span id="status">Loading</span><button id="cad" disabled>Send Ctrl+Alt+Del</button></div>
<div id="screen"></div>
<noscript>The console needs JavaScript.</noscript>
</body>
</html>
`;

/** Its script. The token is taken out of the address bar, since it cannot be used twice. */
export const NOVNC_SCRIPT = `import RFB from './core/rfb.js';

const query = new URLSearchParams(location.search);
const flag = (name, fallback) => (query.has(name) ? !/^(0|false|no|off)$/i.test(query.get(name)) : fallback);
const status = document.getElementById('status');
const cad = document.getElementById('cad');
const say = (text, bad = false) => {
  status.textContent = text;
  status.classList.toggle('bad', bad);
};

const path = query.get('path') ?? (query.has('token') ? '?token=' + encodeURIComponent(query.get('token')) : 'websockify');
const url = new URL(path, new URL('/', location.href));
url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
history.replaceState(null, '', location.pathname);

if (url.host !== location.host) {
  say('This address is of another host.', true);
} else {
  say('Connecting');
  let name = '';
  let connected = false;
  const rfb = new RFB(document.getElementById('screen'), url.href);
  rfb.viewOnly = flag('view_only', false);
  rfb.scaleViewport = flag('scale', true);
  rfb.addEventListener('desktopname', (event) => {
    name = event.detail.name;
    document.title = name + ' - noVNC';
    if (connected) say('Connected to ' + name);
  });
  rfb.addEventListener('connect', () => {
    connected = true;
    cad.disabled = false;
    say('Connected' + (name === '' ? '' : ' to ' + name));
    rfb.focus();
  });
  rfb.addEventListener('disconnect', () => {
    cad.disabled = true;
    const again = 'Ask for another address: each can be opened once, and not for long.';
    say(connected ? 'The console was closed. ' + again : 'There is no console at this address (any more). ' + again, true);
  });
  rfb.addEventListener('securityfailure', (event) => say('Refused: ' + (event.detail.reason ?? ''), true));
  cad.addEventListener('click', () => {
    rfb.sendCtrlAltDel();
    rfb.focus();
  });
}
`;
