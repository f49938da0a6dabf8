export default {
  input: "openapi.json",
  output: "client",
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk", "zod"],
};
