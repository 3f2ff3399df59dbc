/**
 * Everything that comes to the address goes to the agent's socket, with the network or the router that it came by. What a guest
 * itself says about this is taken away.
 */
export function haproxyConfig(
  bind: string,
  by: { readonly network: string } | { readonly router: string },
  socket: string,
): string {
  const [header, other, id] =
    'network' in by
      ? ['X-Neutron-Network-ID', 'X-Neutron-Router-ID', by.network]
      : ['X-Neutron-Router-ID', 'X-Neutron-Network-ID', by.router];
  return `global
  nbthread 1
  maxconn 256
defaults
  mode http
  option forwardfor
  option http-server-close
  retries 3
  timeout http-request 30s
  timeout connect 30s
  timeout client 32s
  timeout server 32s
  timeout http-keep-alive 30s
listen metadata
  bind ${bind}
  http-request del-header X-Forwarded-For
  http-request del-header ${other}
  http-request set-header ${header} ${id}
  server agent unix@${socket}
`;
}
