/** A router's gateway as it is shown; null without one. */
export function gatewayInfo(router: Readonly<Record<string, unknown>>) {
  const network = router['gateway_network_id'];
  const info = {
    network_id: network,
    enable_snat: router['enable_snat'],
    external_fixed_ips: router['gateway_fixed_ips'],
  };
  return network === null ? null : info;
}
