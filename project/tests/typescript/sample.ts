/** What a front-end developer writes first, against the types made from the OpenAPI document. */

import createClient from "openapi-fetch";

import type { components, paths } from "./schema";

type Course = components["schemas"]["CourseOut"];
type Problem = components["schemas"]["Problem"];

const client = createClient<paths>({ baseUrl: "https://school.example" });

async function logIn(email: string, password: string): Promise<string> {
  const { data, error } = await client.POST("/api/v1/auth/token", { body: { email, password } });
  if (error) {
    throw new Error(explain(error));
  }
  return data.access;
}

function explain(problem: Problem): string {
  const fields = (problem.errors ?? []).map((entry) => `${entry.loc.join(".")}: ${entry.msg}`);
  return [problem.title, problem.detail, ...fields].join("\n");
}

async function createCourse(token: string): Promise<Course> {
  const headers = { Authorization: `Bearer ${token}` };
  const { data, error, response } = await client.POST("/api/v1/courses", {
    headers,
    body: { title: "Bread at home", price: "1990.00" },
  });
  if (error) {
    throw new Error(`${response.status} ${explain(error)}`);
  }
  await client.POST("/api/v1/lessons", {
    headers,
    body: { course_id: data.id, title: "Flour and water", position: null },
  });
  return data;
}

async function findCourses(token: string, search: string): Promise<string[]> {
  const { data } = await client.GET("/api/v1/catalog/courses", {
    headers: { Authorization: `Bearer ${token}` },
    params: { query: { search, ordering: "-price", free: false, page: 2, page_size: 50 } },
  });
  const items = data?.items ?? [];
  return items.map((course) => `${course.title} ${course.price} ${course.currency}`);
}

async function buy(token: string, course: Course): Promise<string | null> {
  const { data, error } = await client.POST("/api/v1/payments", {
    headers: { Authorization: `Bearer ${token}` },
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { course_id: course.id, method: "stripe" },
  });
  if (error) {
    return error.code === "already_paid" ? null : Promise.reject(new Error(explain(error)));
  }
  const status: "pending" | "processing" | "paid" | "failed" | "expired" | "cancelled" | "refunded" =
    data.status;
  return status === "paid" ? null : data.payment_url;
}

export async function mistakes(course: Course): Promise<void> {
  // @ts-expect-error money is a text, so that nobody reckons with floats
  course.price.toFixed(2);
  // @ts-expect-error an unknown order is refused
  await client.GET("/api/v1/courses", { params: { query: { ordering: "colour" } } });
  // @ts-expect-error a course needs a title
  await client.POST("/api/v1/courses", { body: { price: "1.00" } });
  // @ts-expect-error there is no such operation
  await client.PUT("/api/v1/courses", {});
  // @ts-expect-error a preview may be missing
  course.preview.length;
}

export async function tour(): Promise<void> {
  const token = await logIn("anna@school.example", "correct horse battery staple");
  const course = await createCourse(token);
  await buy(token, course);
  await findCourses(token, course.title);
}
