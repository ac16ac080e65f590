/** Without one of these at its end, systemctl(1) takes a name for that of a service. */
const UNIT_TYPES = /\.(?:service|socket|device|mount|automount|swap|target|timer|path|slice|scope)$/;

/** The whole name of a unit: `rachel8` is `rachel8.service`. */
export const fullUnitName = (service: string): string => (UNIT_TYPES.test(service) ? service : `${service}.service`);
